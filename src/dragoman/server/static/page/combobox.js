// A language chooser: the editable combobox with a list popup of the ARIA Authoring Practices.

import { element, freshId } from "./dom.js";
import { phrase, voice } from "./i18n.js";
import { DETECT, countLanguages, found, nameOf, nativeNameOf, offered, recent, rememberChosen } from "./languages.js";

export class LanguageBox {
  /** `label` is a phrase; `chosen(code)` is called when the reader chooses; `detects` offers detection too. */
  constructor({ label, value, detects = false, chosen }) {
    this.value = value;
    this.detects = detects;
    this.chosen = chosen;
    this.active = -1;
    this.input = this.#makeInput(label);
    this.caption = element("span", { className: "caption", id: freshId("caption") });
    this.list = element("div", { role: "listbox", id: freshId("languages"), words: { "aria-label": label } });
    this.hint = element("p", { className: "hint" });
    this.popup = element("div", { className: "popup", hidden: true }, this.list, this.hint);
    this.node = element("div", { className: "language" }, this.input, this.caption, this.popup);
    this.input.setAttribute("aria-controls", this.list.id);
    this.input.setAttribute("aria-describedby", this.caption.id);
    this.popup.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the input
    this.list.addEventListener("click", (event) => this.#pick(event.target.closest("[role=option]")));
    voice.addEventListener("spoken", () => this.show(this.value, this.detected));
    this.show(value);
  }

  focus() {
    this.input.focus();
  }

  /** Show a language as chosen, or with `detected` as found in the text while detection stays chosen. */
  show(code, detected) {
    this.value = code;
    this.detected = detected;
    const shown = detected?.language ?? code;
    if (this.popup.hidden) this.input.value = nameOf(shown);
    this.input.lang = document.documentElement.lang;
    if (detected) phrase(this.caption, detected.confidence < 0.6 ? "translate.detected_unsure" : "translate.detected");
    else this.#showNative(code);
  }

  #showNative(code) {
    phrase(this.caption, "");
    this.caption.lang = code === DETECT ? "" : code;
    const native = code === DETECT ? "" : nativeNameOf(code);
    this.caption.textContent = native.toLowerCase() === nameOf(code).toLowerCase() ? "" : native;
  }

  #makeInput(label) {
    return element("input", {
      type: "text", role: "combobox", autocomplete: "off", spellcheck: false, "aria-autocomplete": "list",
      "aria-expanded": "false", enterKeyHint: "done", words: { "aria-label": label },
      on: {
        focus: () => this.#open(),
        click: () => this.#open(),
        input: () => this.#list(this.input.value),
        blur: () => this.#close(),
        keydown: (event) => this.#press(event),
      },
    });
  }

  #open() {
    if (!this.popup.hidden) return;
    this.popup.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.input.select();
    this.#list("");
  }

  #close() {
    this.popup.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.show(this.value, this.detected);
  }

  #list(query) {
    if (this.popup.hidden) this.#open();
    const groups = query.trim() ? [["language.found", found(query)]] : this.#offers();
    this.list.replaceChildren(...groups.filter(([, codes]) => codes.length).map(([key, codes]) => this.#group(key, codes)));
    const none = !this.#options().length;
    phrase(this.hint, none ? "language.none" : "language.search_hint", { count: countLanguages() });
    this.#activate(query.trim() && !none ? 0 : this.#options().findIndex((option) => option.dataset.code === this.value));
  }

  #offers() {
    const latest = recent();
    return [
      ["translate.detect", this.detects ? [DETECT] : []],
      ["language.recent", latest],
      ["language.measured", offered().filter((code) => !latest.includes(code))],
    ];
  }

  #group(key, codes) {
    if (key === "translate.detect") return this.#option(DETECT); // a group of one needs no title
    const title = element("div", { className: "group", "aria-hidden": "true", words: { text: key } });
    return element("div", { role: "group", words: { "aria-label": key } }, title, ...codes.map((code) => this.#option(code)));
  }

  #option(code) {
    const native = code === DETECT ? "" : nativeNameOf(code);
    const option = element("div", { role: "option", id: freshId("option"), "aria-selected": String(code === this.value) },
      element("span", { textContent: nameOf(code) }),
      element("span", { className: "native", lang: code === DETECT ? "" : code, textContent: native }));
    option.dataset.code = code;
    return option;
  }

  #options() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  #activate(index) {
    const options = this.#options();
    options[this.active]?.classList.remove("active");
    this.list.querySelector(".active")?.classList.remove("active");
    this.active = index;
    const option = options[index];
    if (!option) return void this.input.removeAttribute("aria-activedescendant");
    option.classList.add("active");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  #pick(option) {
    if (!option) return;
    this.value = option.dataset.code;
    this.detected = undefined;
    rememberChosen(this.value);
    this.#close();
    this.chosen(this.value);
  }

  #press(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in moves) this.#move(event, moves[event.key]);
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) this.#enter(event);
    else if (event.key === "Escape" && !this.popup.hidden) this.#escape(event);
  }

  #move(event, step) {
    event.preventDefault();
    if (this.popup.hidden) return this.#open();
    const last = this.#options().length - 1;
    this.#activate(Math.min(last, Math.max(0, this.active + step)));
  }

  #enter(event) {
    event.preventDefault();
    if (this.popup.hidden) this.#open();
    else this.#pick(this.#options()[this.active]);
  }

  #escape(event) {
    event.stopPropagation(); // it closes the list, and does not stop the translation
    this.#close();
  }
}
