// The editor of one glossary: its name, its pairs, and the terms of one of them.

import { Problem, fetchJson, request } from "../api.js";
import { LanguageBox } from "../combobox.js";
import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";
import { confirmed } from "./confirm.js";
import { decoded, parsed, separatorOf } from "./delimited.js";
import { download } from "./files.js";
import { TermTable, asTable } from "./term_table.js";
import { Trouble } from "./trouble.js";
import { chosenPair } from "./translate.js";
import { language } from "./values.js";

const TSV = "text/tab-separated-values";
const HEADS = new Set(["source target", "source term target term", "term translation"]);

export class GlossaryEditor {
  /** `changed()` is called when the server has it otherwise than before, `removing(glossary)` when it is to go. */
  constructor({ changed, removing }) {
    this.changed = changed;
    this.drafts = new Map(); // unsaved terms, by the path of their pair
    this.trouble = new Trouble();
    this.table = new TermTable(() => this.#edited());
    this.#makeControls(removing);
    this.node = element("div", { className: "editor", hidden: true }, ...this.#layout());
    window.addEventListener("beforeunload", (event) => this.drafts.size && event.preventDefault());
  }

  /** Show a glossary, or with undefined none. What is written in the one that is shown already stays. */
  open(glossary) {
    const isSame = this.glossary !== undefined && this.glossary.id === glossary?.id;
    this.glossary = glossary;
    this.node.hidden = !glossary;
    if (!glossary) return;
    this.name.value = glossary.name;
    const pairs = this.#pairs();
    if (isSame && pairs.some((pair) => isEqual(pair, this.pair))) this.#drawTabs();
    else this.#choose(pairs[0]);
  }

  focusFilter() {
    this.filter.focus();
  }

  /** Have the server keep the terms as they stand. */
  save() {
    if (this.saving.disabled) return undefined;
    return this.trouble.attempt(async () => {
      this.saving.disabled = true;
      try {
        await this.#put();
      } catch (error) {
        this.saving.disabled = false;
        if (!this.#placed(error)) throw error;
        return;
      }
      this.drafts.delete(this.#path);
      phrase(this.standing, "glossaries.saved");
      this.changed();
    });
  }

  #makeControls(removing) {
    this.name = element("input", { type: "text", className: "title", autocomplete: "off", words: { "aria-label": "glossaries.name" }, on: { change: () => this.#rename() } });
    this.removing = button("glossaries.delete", () => removing(this.glossary), { className: "quiet" });
    this.tabs = element("div", { className: "tabs", role: "group", words: { "aria-label": "glossaries.pairs" } });
    this.adding = element("div", { className: "adding", hidden: true });
    this.filter = element("input", { type: "search", words: { "aria-label": "glossaries.filter", placeholder: "glossaries.filter" }, on: { input: () => this.table.filter(this.filter.value) } });
    this.file = element("input", { type: "file", accept: ".csv,.tsv,.txt", hidden: true, on: { change: () => this.#import() } });
    this.standing = element("span", { className: "count", role: "status" });
    this.saving = button("glossaries.save", () => this.save(), { className: "primary" });
    this.discarding = button("glossaries.discard", () => this.#discard(), { className: "quiet" });
  }

  #layout() {
    this.work = element("div", {},
      element("div", { className: "toolbar" }, this.filter,
        button("glossaries.import", () => this.file.click(), { className: "quiet" }), this.file,
        button("glossaries.csv", () => this.#export("csv", "text/csv"), { className: "quiet" }),
        button("glossaries.tsv", () => this.#export("tsv", TSV), { className: "quiet" }),
        button("glossaries.delete_pair", () => this.#deletePair(), { className: "quiet" })),
      this.table.node,
      element("div", { className: "foot" }, this.standing, this.discarding, this.saving));
    return [
      element("div", { className: "editor-head" }, this.name, this.removing),
      this.tabs, this.adding, this.trouble.node, this.work,
    ];
  }

  get #path() {
    return this.pair && pathOf(this.glossary, this.pair);
  }

  /** The pairs that the server has, and those that are only drafts. */
  #pairs() {
    const stored = this.glossary.dictionaries.map(({ source, target }) => ({ source, target }));
    const isNew = this.pair && this.drafts.has(this.#path) && !stored.some((pair) => isEqual(pair, this.pair));
    return isNew ? [...stored, this.pair] : stored;
  }

  async #choose(pair) {
    this.pair = pair;
    this.adding.hidden = Boolean(pair);
    this.#drawTabs();
    this.work.hidden = true;
    this.filter.value = "";
    if (!pair) return this.#offerPair();
    const path = this.#path;
    await this.trouble.attempt(async () => {
      const terms = this.drafts.get(path) ?? (await this.#stored(path, pair));
      if (path !== this.#path) return; // the reader went on meanwhile
      this.work.hidden = false;
      this.table.open(terms, pair);
      this.#showStanding();
    });
  }

  /** As a table and not as JSON, whose objects put numbers first in a browser. */
  async #stored(path, pair) {
    if (!this.glossary.dictionaries.some((other) => isEqual(other, pair))) return [];
    const response = await request("GET", path, { headers: { accept: TSV } });
    const lines = (await response.text()).split("\n").filter(Boolean);
    return lines.map((line) => line.split("\t")).map(([source, target]) => ({ source, target }));
  }

  #put() {
    const { count } = this.table;
    if (!count) return request("PUT", this.#path, { json: { entries: {} } });
    return request("PUT", this.#path, { body: asTable(this.table.terms), headers: { "content-type": TSV } });
  }

  /** Whether the problem is one row's: then it stands there. The table that was sent has a head as its first line. */
  #placed(error) {
    const [, line, what] = (error instanceof Problem && /^Line (\d+): (.*)/s.exec(error.message)) || [];
    if (!line) return false;
    this.filter.value = "";
    this.table.fault(Number(line) - 2, what);
    phrase(this.standing, "glossaries.fault");
    return true;
  }

  #drawTabs() {
    const focused = this.tabs.contains(document.activeElement);
    const add = button("glossaries.add_pair", () => this.#choose(undefined), { className: "quiet", ariaPressed: String(!this.pair) });
    this.tabs.replaceChildren(...this.#pairs().map((pair) => this.#tab(pair)), add);
    if (focused) this.tabs.querySelector("[aria-pressed=true]").focus();
  }

  #tab(pair) {
    const made = button("", () => this.#choose(pair), { className: "tab", ariaPressed: String(Boolean(this.pair) && isEqual(pair, this.pair)) });
    phrase(made, "language.pair", { source: language(pair.source), target: language(pair.target) });
    return made;
  }

  #offerPair() {
    const { source, target } = chosenPair();
    const wanted = { source: source === "auto" ? "en" : source, target };
    const box = (side) => new LanguageBox({
      label: `translate.${side}_language`, value: wanted[side], chosen: (code) => { wanted[side] = code; boxes[side].show(code); },
    });
    const boxes = { source: box("source"), target: box("target") };
    const focused = this.tabs.contains(document.activeElement);
    const add = button("glossaries.add_pair", () => this.#addPair({ ...wanted }), { className: "primary" });
    this.adding.replaceChildren(boxes.source.node, boxes.target.node, add);
  }

  #addPair(pair) {
    const isThere = this.glossary.dictionaries.some((other) => isEqual(other, pair));
    if (!isThere) this.drafts.set(pathOf(this.glossary, pair), []);
    return this.#choose(pair);
  }

  #edited() {
    this.drafts.set(this.#path, this.table.terms);
    this.#showStanding();
  }

  #showStanding() {
    const isDraft = this.drafts.has(this.#path);
    this.saving.disabled = !isDraft;
    this.discarding.hidden = !isDraft;
    phrase(this.standing, isDraft ? "glossaries.unsaved" : "glossaries.terms", { count: this.table.count });
  }

  #discard() {
    this.drafts.delete(this.#path);
    const { pair } = this;
    this.#choose(this.#pairs().find((other) => isEqual(other, pair)) ?? this.#pairs()[0]);
  }

  #rename() {
    return this.trouble.attempt(async () => {
      await fetchJson("PATCH", `/v1/glossaries/${this.glossary.id}`, { json: { name: this.name.value } });
      this.changed();
    });
  }

  async #deletePair() {
    const { source, target } = this.pair;
    const values = { source: language(source), target: language(target) };
    if (!(await confirmed("glossaries.delete_pair", "glossaries.delete_pair_why", values))) return;
    await this.trouble.attempt(async () => {
      const isStored = this.glossary.dictionaries.some((other) => isEqual(other, this.pair));
      if (isStored) await request("DELETE", this.#path);
      this.drafts.delete(this.#path);
      this.changed();
    });
  }

  /** The terms of a file stand in the table before anything is saved. */
  async #import() {
    const [file] = this.file.files;
    const text = decoded(new Uint8Array(await file.arrayBuffer()));
    this.file.value = "";
    this.table.append(termsOf(parsed(text, separatorOf(text)), this.pair));
  }

  #export(suffix, accept) {
    const { source, target } = this.pair;
    const filename = `${this.glossary.name}.${source}-${target}.${suffix}`;
    return this.trouble.attempt(() => download(this.#path, { filename, headers: { accept } }));
  }
}

function isEqual(one, other) {
  return one.source === other?.source && one.target === other?.target;
}

/** A hyphen parts the languages, so regions are written with an underscore. */
function pathOf({ id }, { source, target }) {
  return `/v1/glossaries/${id}/${source.replaceAll("-", "_")}-${target.replaceAll("-", "_")}`;
}

/** The terms in the rows of a file, whose first one may name languages or columns. */
function termsOf(rows, { source, target }) {
  const head = rows[0]?.map((cell) => cell.trim().toLowerCase()) ?? [];
  const bases = head.map((code) => code.split(/[-_]/)[0]);
  const [from, into] = [source, target].map((code) => bases.indexOf(code.split("-")[0]));
  const isOfLanguages = from >= 0 && into >= 0;
  const [first, second] = isOfLanguages ? [from, into] : [0, 1];
  const isHead = isOfLanguages || HEADS.has(head.slice(0, 2).join(" "));
  return rows.slice(isHead ? 1 : 0).map((cells) => ({ source: cells[first] ?? "", target: cells[second] ?? "" }));
}
