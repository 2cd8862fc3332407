// How a translation is wished for beyond its languages. The choices are kept in this browser.

import { ConnectionProblem, Problem, fetchJson } from "./api.js";
import { element, freshId } from "./dom.js";
import { phrase } from "./i18n.js";
import { keep, recall } from "./store.js";

const PLAIN = { formality: "", glossary: "", keep: "", confidence: true, no_store: false };

export class Options {
  /** `changed()` is called when a choice is another. */
  constructor(changed) {
    this.changed = changed;
    this.chosen = { ...PLAIN, ...recall("options", {}) };
    this.glossaries = element("select", {}, optionOf("", "options.no_glossary"));
    this.unheard = element("p", { className: "caption", role: "status" });
    this.node = element("details", { className: "options" },
      element("summary", { words: { text: "options.title" } }),
      element("div", { className: "fields" },
        this.#field("options.formality", this.#formality(), this.unheard),
        this.#field("options.glossary", this.#bound("glossary", this.glossaries)),
        this.#field("options.keep", this.#keepWords()),
        this.#check("confidence", "options.confidence"),
        this.#check("no_store", "options.no_store")));
    this.node.addEventListener("toggle", () => this.node.open && this.#offerGlossaries());
  }

  /** The fields of a request that the choices come to. */
  wishes() {
    const { formality, glossary, keep: words, confidence, no_store: forgets } = this.chosen;
    return {
      ...(formality && { formality }),
      ...(glossary && { glossary }),
      ...(words.trim() && { keep: words.split(",").map((word) => word.trim()).filter(Boolean) }),
      ...(confidence && { confidence }),
      ...(forgets && { no_store: true }),
    };
  }

  /** Say beside a choice what the engine could not do about it. */
  hear(findings) {
    const ignored = findings.some(({ kind }) => kind === "formality_ignored");
    phrase(this.unheard, ignored ? "options.formality_ignored" : "");
  }

  #formality() {
    const select = element("select", {},
      optionOf("", "options.formality_plain"),
      optionOf("prefer_more", "options.formality_more"),
      optionOf("prefer_less", "options.formality_less"));
    return this.#bound("formality", select);
  }

  #keepWords() {
    const input = element("input", { type: "text", autocomplete: "off", words: { placeholder: "options.keep_hint" } });
    return this.#bound("keep", input);
  }

  #bound(name, control) {
    control.value = this.chosen[name];
    control.addEventListener("change", () => this.#choose(name, control.value));
    return control;
  }

  #check(name, key) {
    const box = element("input", { type: "checkbox", checked: this.chosen[name] });
    box.addEventListener("change", () => this.#choose(name, box.checked));
    return element("label", { className: "check" }, box, element("span", { words: { text: key } }));
  }

  #field(key, control, ...more) {
    control.id = freshId("field");
    return element("div", { className: "field" }, element("label", { for: control.id, words: { text: key } }), control, ...more);
  }

  #choose(name, value) {
    this.chosen[name] = value;
    keep("options", this.chosen);
    this.unheard.textContent = "";
    this.changed();
  }

  async #offerGlossaries() {
    const glossaries = await storedGlossaries();
    const names = glossaries.map(({ id, name }) => element("option", { value: id, textContent: name }));
    this.glossaries.replaceChildren(optionOf("", "options.no_glossary"), ...names);
    this.glossaries.value = this.chosen.glossary;
    if (this.glossaries.selectedIndex < 0) this.#forgetGlossary();
  }

  #forgetGlossary() {
    this.glossaries.value = "";
    this.#choose("glossary", "");
  }
}

/** None where they cannot be asked for: the translation itself will say what is wrong. */
export async function storedGlossaries() {
  try {
    return (await fetchJson("GET", "/v1/glossaries")).glossaries;
  } catch (error) {
    if (error instanceof Problem || error instanceof ConnectionProblem) return [];
    throw error;
  }
}

/** An option that says a phrase. */
export function optionOf(value, key) {
  return element("option", { value, words: { text: key } });
}
