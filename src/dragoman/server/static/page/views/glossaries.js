// Glossaries: which there are on the left page, the terms of one on the right one.

import { fetchJson, request } from "../api.js";
import { element } from "../dom.js";
import { phrase } from "../i18n.js";
import { remember, route } from "../route.js";
import { confirmed } from "./confirm.js";
import { GlossaryEditor } from "./glossary_editor.js";
import { whenShown } from "./shown.js";
import { Trouble } from "./trouble.js";
import { language } from "./values.js";

const LONGEST_NAME = 1024;

class GlossariesView {
  constructor(section) {
    this.trouble = new Trouble();
    this.glossaries = [];
    this.list = element("ul", { className: "choices", words: { "aria-label": "glossaries.list" } });
    this.none = element("p", { className: "empty", hidden: true, words: { text: "glossaries.empty" } });
    this.editor = new GlossaryEditor({
      changed: () => this.#load(),
      removing: (glossary) => this.#delete(glossary),
    });
    section.append(
      element("h1", { className: "visually-hidden", words: { text: "view.glossaries" } }),
      element("div", { className: "facing side" },
        element("div", { className: "leaf" }, this.trouble.node, this.#newForm(), this.list),
        element("div", { className: "leaf" }, this.none, this.editor.node)));
    whenShown("glossaries", () => this.#come());
  }

  /** What the keyboard does here. */
  get shortcuts() {
    return [
      { keys: ["Ctrl", "S"], does: "glossaries.save", run: () => this.editor.save() },
      { keys: ["/"], does: "glossaries.filter", run: () => this.editor.focusFilter() },
      { keys: ["Enter"], does: "shortcuts.next_term" },
      { keys: ["↑", "↓"], does: "shortcuts.terms" },
      { keys: ["Ctrl", "Delete"], does: "shortcuts.delete_term" },
    ];
  }

  /** Others may have changed a glossary since, so nothing of the last visit is shown but what is not saved yet. */
  #come() {
    this.editor.open(undefined);
    this.#load(route().parameters.get("id") ?? this.chosen);
  }

  #newForm() {
    this.name = element("input", { type: "text", autocomplete: "off", maxLength: LONGEST_NAME, required: true, words: { "aria-label": "glossaries.new", placeholder: "glossaries.new" } });
    const made = element("button", { type: "submit", words: { text: "glossaries.make" } });
    return element("form", { className: "one-line", on: { submit: (event) => { event.preventDefault(); this.#make(); } } }, this.name, made);
  }

  #make() {
    return this.trouble.attempt(async () => {
      const { id } = await fetchJson("POST", "/v1/glossaries", { json: { name: this.name.value } });
      this.name.value = "";
      await this.#reload(id);
    });
  }

  /** Ask for the glossaries and show the one with this id, else the first. */
  #load(id = this.chosen) {
    return this.trouble.attempt(() => this.#reload(id));
  }

  async #reload(id) {
    const { glossaries } = await fetchJson("GET", "/v1/glossaries");
    this.glossaries = glossaries;
    this.none.hidden = glossaries.length > 0;
    this.#choose((glossaries.find((one) => one.id === id) ?? glossaries[0])?.id);
  }

  #choose(id) {
    this.chosen = id;
    remember("glossaries", id ? { id } : {});
    this.#draw();
    this.editor.open(this.glossaries.find((one) => one.id === id));
  }

  #draw() {
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren(...this.glossaries.map((glossary) => this.#entry(glossary)));
    if (focused) this.list.querySelector("[aria-current=true]")?.focus();
  }

  #entry({ id, name, dictionaries }) {
    const count = element("span", { className: "caption" });
    phrase(count, "glossaries.terms", { count: dictionaries.reduce((sum, { entry_count: terms }) => sum + terms, 0) });
    return element("li", {}, element("button", {
      type: "button", "aria-current": String(id === this.chosen), on: { click: () => this.#choose(id) },
    }, element("span", { className: "name", dir: "auto", textContent: name }), ...dictionaries.map(pairOf), count));
  }

  async #delete({ id, name }) {
    if (!(await confirmed("glossaries.delete", "glossaries.delete_why", { name }))) return;
    await this.trouble.attempt(async () => {
      await request("DELETE", `/v1/glossaries/${id}`);
      await this.#reload();
      this.name.focus();
    });
  }
}

function pairOf({ source, target }) {
  const made = element("span", { className: "caption" });
  phrase(made, "language.pair", { source: language(source), target: language(target) });
  return made;
}

/** Build the view into its section; returns it, with its `shortcuts`. */
export function mount(section) {
  return new GlossariesView(section);
}
