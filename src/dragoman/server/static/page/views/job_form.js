// What is asked of a table: which of its columns, into which languages, and how much of it.

import { ConnectionProblem, fetchJson } from "../api.js";
import { LanguageBox } from "../combobox.js";
import { button, element, freshId } from "../dom.js";
import { phrase } from "../i18n.js";
import { DETECT } from "../languages.js";
import { keep, recall } from "../store.js";
import { GlossaryChoice, LanguageList, fieldOf } from "./choices.js";
import { readColumns } from "./table_head.js";
import { chosenPair } from "./translate.js";

export class JobForm {
  /** Of the reports, `started()` says that the server has taken it, `left()` that the reader wants none; `attempt(work)`
   * does what may go wrong. */
  constructor(file, reports) {
    this.file = file;
    this.reports = reports;
    const { source, target } = chosenPair();
    this.source = recall("jobs.source", source);
    this.targets = new LanguageList({
      label: "jobs.targets", add: "jobs.add_target", codes: recall("jobs.targets", [target]), changed: () => this.#changed(),
    });
    this.from = new LanguageBox({
      label: "translate.source_language", detects: true, value: this.source, chosen: (code) => this.#from(code),
    });
    this.limit = element("input", { type: "number", min: 1, step: 1, inputMode: "numeric", words: { placeholder: "jobs.all_rows" } });
    this.glossary = new GlossaryChoice();
    this.columns = element("fieldset", { className: "columns" });
    this.going = element("button", { type: "submit", className: "primary", words: { text: "jobs.start" } });
    this.node = element("form", { className: "job-form", noValidate: true, on: { submit: (event) => this.#submit(event), input: () => this.#changed() } },
      ...this.#layout());
  }

  /** Read the table's columns and ask for the glossaries. */
  async open() {
    const read = await readColumns(this.file);
    if (read) this.#offer(read);
    else this.#askForNames();
    this.#changed();
    this.columns.querySelector("input").focus();
    await this.glossary.offer();
  }

  #layout() {
    return [
      element("h2", { className: "name", dir: "auto", textContent: this.file.name }),
      this.columns,
      this.targets.node,
      element("div", { className: "field" },
        element("span", { className: "label", "aria-hidden": "true", words: { text: "translate.source_language" } }), this.from.node),
      element("div", { className: "fields" }, fieldOf("jobs.limit", this.limit), this.glossary.node),
      element("div", { className: "actions" }, this.going, button("jobs.discard", () => this.reports.left(), { className: "quiet" })),
    ];
  }

  /** The columns to tick, each with the first texts in it. */
  #offer(columns) {
    const rows = columns.map(({ name, samples, isProse }) => this.#column(name, samples, isProse));
    this.columns.replaceChildren(element("legend", { words: { text: "jobs.columns" } }), ...rows);
    if (!rows.length) this.#askForNames();
  }

  #column(name, samples, isTicked) {
    const box = element("input", { type: "checkbox", value: name, checked: isTicked });
    const sample = samples.filter((words) => words.trim()).join(" · ");
    return element("label", { className: "column" }, box,
      element("span", { className: "name", dir: "auto", textContent: name }),
      element("span", { className: "sample", dir: "auto", textContent: sample }));
  }

  #askForNames() {
    this.names = element("input", { type: "text", autocomplete: "off", spellcheck: false, id: freshId("columns") });
    this.columns.replaceChildren(
      element("legend", { words: { text: "jobs.columns" } }),
      element("div", { className: "field" }, this.names,
        element("label", { for: this.names.id, className: "caption", words: { text: "jobs.names_hint" } })));
  }

  get #chosen() {
    if (this.names) return this.names.value.split(",").map((name) => name.trim()).filter(Boolean);
    return [...this.columns.querySelectorAll(":checked")].map(({ value }) => value);
  }

  #from(code) {
    this.source = code;
    this.from.show(code);
    keep("jobs.source", code);
    this.#changed();
  }

  /** Another wish is another request, and so it gets a key of its own. */
  #changed() {
    this.key = freshKey();
    keep("jobs.targets", this.targets.codes);
    this.going.disabled = !this.#chosen.length || !this.targets.codes.length;
  }

  #submit(event) {
    event.preventDefault();
    if (!this.going.disabled) this.reports.attempt(() => this.#start());
  }

  async #start() {
    this.#wait(true);
    try {
      await fetchJson("POST", "/v1/jobs", { body: this.#body(), headers: { "Idempotency-Key": this.key } });
      this.reports.started();
    } catch (error) {
      // Where no answer came the job may be there: the same key finds it.
      if (!(error instanceof ConnectionProblem)) this.key = freshKey();
      throw error;
    } finally {
      this.#wait(false);
    }
  }

  #wait(waits) {
    this.going.disabled = waits;
    phrase(this.going, waits ? "jobs.sending" : "jobs.start");
  }

  #body() {
    const form = new FormData();
    form.set("file", this.file);
    for (const column of this.#chosen) form.append("columns", column);
    for (const target of this.targets.codes) form.append("target", target);
    if (this.source !== DETECT) form.set("source", this.source);
    if (this.limit.value) form.set("limit", this.limit.value);
    if (this.glossary.value) form.append("glossary", this.glossary.value);
    return form;
  }
}

/** As unlikely to come twice as a UUID, which browsers make on addresses with TLS only. */
function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
