// One document: where it stands, what was found in it, and what can be done with it.

import { ConnectionProblem, Problem, fetchJson, request } from "../api.js";
import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";
import { askForKey } from "../key.js";
import { DETECT } from "../languages.js";
import { HARMLESS } from "../sheet.js";
import { Bar } from "./bar.js";
import { download } from "./files.js";
import { told } from "./trouble.js";
import { duration, language } from "./values.js";

const UNFINISHED = new Set(["unknown", "queued", "translating"]);

export class DocumentRow {
  /**
   * `entry` is what is kept of it: its filename and languages, with its `id` once the server has it. `form` is what
   * sends it. Of the reports `changed()`, `sent()`, `done(entry)` and `removed(row)` say what became of it, and
   * `attempt(work)` does what may go wrong.
   */
  constructor(entry, form, reports) {
    this.entry = entry;
    this.form = form;
    this.reports = reports;
    this.state = entry.id ? "unknown" : "sending";
    this.bar = new Bar("translate.progress_label");
    this.story = element("p", { className: "caption" });
    this.words = element("div", { className: "task-words" });
    this.saving = button("files.download", () => this.#download());
    this.again = button("translate.again", () => this.send());
    this.giving = button("key.give", () => askForKey(() => this.send()));
    this.removing = button("files.remove", () => this.#remove(), { className: "quiet" });
    for (const [node, key] of [[this.saving, "files.download_named"], [this.removing, "files.remove_named"]]) {
      phrase(node, key, { name: entry.filename }, "aria-label");
    }
    this.node = element("li", { className: "task" }, this.#head(), this.bar.node, this.words);
    this.#show(this.state);
  }

  /** Whether the server still works on it, as far as is known. */
  get isUnfinished() {
    return Boolean(this.entry.id) && UNFINISHED.has(this.state);
  }

  /** Hand it in. What the server says against it stands in the row. */
  async send() {
    this.#show("sending");
    try {
      const { id } = await fetchJson("POST", "/v1/documents", { body: this.form });
      this.#keep({ id });
      this.#show("queued");
      this.reports.sent();
    } catch (error) {
      this.#refused(error);
    }
  }

  /** Ask how far it is. Throws as `request`. */
  async look() {
    try {
      this.#hear(await fetchJson("GET", this.#path));
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#show("gone");
    }
  }

  get #path() {
    return `/v1/documents/${this.entry.id}`;
  }

  #head() {
    const pair = element("span", { className: "caption" });
    const { source, target } = this.entry;
    phrase(pair, "language.pair", { source: language(source), target: language(target) });
    if (source === DETECT) phrase(pair, "language.into", { target: language(target) });
    return element("div", { className: "task-head" },
      element("div", { className: "task-what" }, element("span", { className: "name", dir: "auto", textContent: this.entry.filename }), pair, this.story),
      element("div", { className: "task-acts" }, this.giving, this.again, this.saving, this.removing));
  }

  #keep(more) {
    this.entry = { ...this.entry, ...more };
    this.reports.changed();
  }

  #hear(status) {
    if (status.state === "done" && this.state !== "unknown") this.reports.done(this.entry);
    if (status.state === "translating" && !this.entry.since) this.#keep({ since: Date.now() });
    this.#show(status.state, status);
  }

  #show(state, status = {}) {
    this.state = state;
    this.node.dataset.state = state;
    this.words.replaceChildren();
    this.saving.hidden = state !== "done";
    this.again.hidden = this.giving.hidden = true;
    phrase(this.story, `documents.state.${state}`);
    this.bar.node.hidden = !["sending", "queued", "translating"].includes(state);
    this.bar.show(state === "queued" ? [0] : []);
    if (state === "translating") this.#showTime(status.seconds_remaining);
    if (state === "done") this.#showFindings(status);
    if (state === "error") this.words.append(...told(status));
  }

  /** The server says how long it still takes; with the time it took so far that is how far it is. */
  #showTime(seconds) {
    if (seconds === undefined) return;
    const passed = (Date.now() - this.entry.since) / 1000;
    this.bar.show([passed / Math.max(passed + seconds, 1)]);
    phrase(this.story, "documents.time_left", { time: duration(seconds) });
  }

  #showFindings({ passages, failed, findings }) {
    const kinds = Object.entries(findings).filter(([kind]) => !HARMLESS.has(kind)).map(([kind, count]) => [`finding.${kind}`, count]);
    const notes = failed ? [["documents.left", failed], ...kinds] : kinds;
    const count = notes.reduce((total, [, number]) => total + number, 0);
    phrase(this.story, count ? "documents.to_check" : "documents.done", { passages, count });
    if (count) this.words.append(element("ul", { className: "findings" }, ...notes.map(noteOf)));
  }

  #refused(error) {
    if (!error.kind) throw error;
    this.#show("refused");
    phrase(this.story, `problem.${error.kind}`);
    this.giving.hidden = error.kind !== "key";
    this.again.hidden = error.kind === "key" || error.isFinal;
    if (error instanceof Problem) this.words.append(...told(error));
    if (error instanceof ConnectionProblem) this.words.append(element("p", { words: { text: "documents.not_sent" } }));
  }

  #download() {
    const { filename, target } = this.entry;
    this.reports.attempt(() => download(`${this.#path}/result`, { filename: inLanguage(filename, target) }));
  }

  #remove() {
    return this.reports.attempt(async () => {
      await this.#delete();
      this.reports.removed(this);
    });
  }

  /** One that is gone already, or never came, is deleted well enough. */
  async #delete() {
    if (!this.entry.id) return;
    try {
      await request("DELETE", this.#path);
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
}

function noteOf([key, count]) {
  const name = element("span", { words: { text: key } });
  const number = element("span", { className: "number" });
  phrase(number, "number", { count });
  return element("li", {}, name, number);
}

/** `menu.txt` in German is `menu.de-DE.txt`. */
function inLanguage(filename, code) {
  const dot = filename.lastIndexOf(".");
  return dot > 0 ? `${filename.slice(0, dot)}.${code}${filename.slice(dot)}` : `${filename}.${code}`;
}
