// Choices that several views offer.

import { LanguageBox } from "../combobox.js";
import { button, element, freshId } from "../dom.js";
import { phrase } from "../i18n.js";
import { optionOf, storedGlossaries } from "../options.js";
import { language } from "./values.js";

/** A control with its label. */
export function fieldOf(label, control, ...more) {
  control.id = freshId("field");
  return element("div", { className: "field" }, element("label", { for: control.id, words: { text: label } }), control, ...more);
}

/** A choice of the stored glossaries, which are asked for each time it is shown. */
export class GlossaryChoice {
  constructor(chosen = "") {
    this.select = element("select", {}, optionOf("", "options.no_glossary"));
    this.node = fieldOf("options.glossary", this.select);
    this.wanted = chosen;
    this.select.addEventListener("change", () => { this.wanted = this.select.value; });
  }

  /** The id of the chosen one, "" for none. */
  get value() {
    return this.select.value;
  }

  async offer() {
    const names = (await storedGlossaries()).map(({ id, name }) => element("option", { value: id, textContent: name }));
    this.select.replaceChildren(optionOf("", "options.no_glossary"), ...names);
    this.select.value = this.wanted;
    if (this.select.selectedIndex < 0) this.select.value = "";
  }
}

/** A list of languages to which one adds by searching. */
export class LanguageList {
  constructor({ label, add, codes, changed = () => {} }) {
    this.codes = [...codes];
    this.changed = changed;
    this.list = element("ul", { className: "chips", words: { "aria-label": label } });
    this.box = new LanguageBox({ label: add, value: "", chosen: (code) => this.#add(code) });
    phrase(this.box.input, add, {}, "placeholder");
    this.node = element("div", { className: "field" },
      element("span", { className: "label", words: { text: label } }), this.list, this.box.node);
    this.#draw();
  }

  #add(code) {
    this.box.show("");
    if (!this.codes.includes(code)) this.codes.push(code);
    this.#draw();
    this.changed();
  }

  #remove(code) {
    this.codes = this.codes.filter((other) => other !== code);
    this.#draw();
    this.box.focus();
    this.changed();
  }

  #draw() {
    this.list.replaceChildren(...this.codes.map((code) => this.#chip(code)));
  }

  #chip(code) {
    const name = element("span");
    phrase(name, "language.named", { language: language(code) });
    const remove = button("", () => this.#remove(code), { className: "icon icon-close" });
    phrase(remove, "language.remove", { language: language(code) }, "aria-label");
    return element("li", {}, name, remove);
  }
}
