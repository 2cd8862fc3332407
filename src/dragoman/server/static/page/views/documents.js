// Documents: files on the left page, their translations on the right one.

import { fetchJson } from "../api.js";
import { LanguageBox } from "../combobox.js";
import { element } from "../dom.js";
import { phrase } from "../i18n.js";
import { DETECT } from "../languages.js";
import { keep, recall } from "../store.js";
import { GlossaryChoice } from "./choices.js";
import { DocumentRow } from "./document_row.js";
import { DropZone } from "./files.js";
import { whenShown } from "./shown.js";
import { chosenPair } from "./translate.js";
import { Trouble } from "./trouble.js";
import { listed } from "./values.js";

const LOOK_AGAIN_MS = 700;

class DocumentsView {
  constructor(section) {
    this.pair = recall("documents.pair", chosenPair());
    this.trouble = new Trouble();
    this.glossary = new GlossaryChoice(recall("documents.glossary", ""));
    this.glossary.select.addEventListener("change", () => keep("documents.glossary", this.glossary.value));
    this.formats = element("p", { className: "caption" });
    this.zone = new DropZone(section, {
      title: "documents.drop", choose: "documents.choose", hint: this.formats, multiple: true, taken: (files) => this.#take(files),
    });
    this.list = element("ol", { className: "tasks", words: { "aria-label": "documents.list" } });
    this.none = element("p", { className: "empty", words: { text: "documents.empty" } });
    this.news = element("p", { className: "visually-hidden", role: "status" });
    section.append(...this.#layout());
    this.rows = recall("documents", []).map((entry) => this.#row(entry));
    this.#draw();
    whenShown("documents", () => this.trouble.attempt(() => this.#come()));
  }

  /** What the keyboard does here. */
  get shortcuts() {
    return [{ keys: ["Ctrl", "O"], does: "documents.choose", run: () => this.zone.choose() }];
  }

  #layout() {
    const box = (side, label, detects) => new LanguageBox({
      label, detects, value: this.pair[side], chosen: (code) => this.#choose(side, code),
    });
    this.boxes = { source: box("source", "translate.source_language", true), target: box("target", "translate.target_language", false) };
    return [
      element("h1", { className: "visually-hidden", words: { text: "view.documents" } }),
      element("div", { className: "facing even" },
        element("div", { className: "pair" }, this.boxes.source.node, element("span"), this.boxes.target.node),
        element("div", { className: "leaf" }, this.zone.node, this.glossary.node),
        element("div", { className: "leaf" }, this.trouble.node, this.none, this.list, this.news)),
    ];
  }

  async #come() {
    if (!this.formats.textContent) phrase(this.formats, "documents.formats", { formats: listed(await supportedFormats()) });
    await this.glossary.offer();
    if (!this.watching) await this.#untilDone();
  }

  #choose(side, code) {
    this.pair = { ...this.pair, [side]: code };
    this.boxes[side].show(code);
    keep("documents.pair", this.pair);
  }

  /** Send files, one after the other: each has its row from the beginning. */
  async #take(files) {
    const rows = files.map((file) => this.#row({ filename: file.name, ...this.pair }, this.#form(file)));
    this.rows = [...rows, ...this.rows];
    this.#draw();
    for (const row of rows) {
      await row.send();
      this.#watch();
    }
  }

  #form(file) {
    const form = new FormData();
    form.set("file", file);
    form.set("target", this.pair.target);
    if (this.pair.source !== DETECT) form.set("source", this.pair.source);
    if (this.glossary.value) form.set("glossary", this.glossary.value);
    return form;
  }

  #row(entry, form) {
    return new DocumentRow(entry, form, {
      changed: () => this.#keep(),
      sent: () => this.#watch(),
      removed: (row) => this.#remove(row),
      done: ({ filename }) => phrase(this.news, "documents.ready", { filename }),
      attempt: (work) => this.trouble.attempt(work),
    });
  }

  /** The place of a row that is removed takes the focus with it, so it goes to the next one. */
  #remove(row) {
    const at = this.rows.indexOf(row);
    this.rows = this.rows.filter((other) => other !== row);
    this.#draw();
    this.#watch();
    const next = this.rows[Math.min(at, this.rows.length - 1)];
    (next?.node.querySelector("button:not([hidden])") ?? this.zone.button).focus();
  }

  #draw() {
    this.list.replaceChildren(...this.rows.map(({ node }) => node));
    this.none.hidden = this.rows.length > 0;
    this.#keep();
  }

  #keep() {
    keep("documents", this.rows?.map(({ entry }) => entry).filter(({ id }) => id));
  }

  /** Look at what is unfinished, unless that is done already. */
  #watch() {
    if (!this.watching && this.#unfinished().length) this.trouble.attempt(() => this.#untilDone());
  }

  async #untilDone() {
    this.watching = true;
    try {
      for (let rows = this.#unfinished(); rows.length; rows = this.#unfinished()) {
        await Promise.all(rows.map((row) => row.look()));
        await new Promise((resolve) => { setTimeout(resolve, LOOK_AGAIN_MS); });
      }
    } finally {
      this.watching = false;
    }
  }

  #unfinished() {
    return this.rows.filter((row) => row.isUnfinished);
  }
}

/** The kinds of documents as the server's own description of itself names them. */
async function supportedFormats() {
  const { components } = await fetchJson("GET", "/openapi.json");
  return components.schemas.NewDocument.properties.format.examples;
}

/** Build the view into its section; returns it, with its `shortcuts`. */
export function mount(section) {
  return new DocumentsView(section);
}
