// Saying who one is and which language one writes and reads.

import { dialog } from "../dialogs.js";
import { button, element } from "../dom.js";
import { pageLanguage, voice } from "../i18n.js";
import { isLanguage, nameOf, nativeNameOf, offered, others } from "../languages.js";
import { fieldOf } from "../views/choices.js";

const MOST_CHARACTERS = 80;

/** A choice of all languages, in the reader's own words. With `none`, a phrase, it may be left open. */
export class LanguageChoice {
  constructor(chosen, none) {
    this.none = none;
    this.select = element("select", { required: !none });
    this.#offer(chosen);
    voice.addEventListener("spoken", () => this.#offer(this.value));
  }

  get value() {
    return this.select.value;
  }

  #offer(chosen) {
    const open = this.none ? [element("option", { value: "", words: { text: this.none } })] : [];
    this.select.replaceChildren(...open, groupOf("language.measured", offered()), groupOf("talk.others", others()));
    this.select.value = chosen;
  }
}

/** The form that asks for a name and a language; `given({ name, language })` is called when it is filled in. */
export class Introduction {
  constructor({ name = "", language, act, given }) {
    this.name = element("input", { type: "text", required: true, autocomplete: "name", maxLength: MOST_CHARACTERS, value: name });
    this.language = new LanguageChoice(isLanguage(language) ? language : pageLanguage());
    this.node = element("form", { className: "introduction", on: { submit: (event) => this.#submit(event, given) } },
      fieldOf("talk.name", this.name), fieldOf("talk.language", this.language.select),
      element("div", { className: "actions" }, element("button", { type: "submit", className: "primary", words: { text: act } })));
  }

  focus() {
    this.name.focus();
  }

  #submit(event, given) {
    event.preventDefault();
    given({ name: this.name.value.trim(), language: this.language.value });
  }
}

/** Ask in a dialog for another language; `given(code)` is called when the reader chose one. */
export function askForLanguage(chosen, given) {
  const choice = new LanguageChoice(chosen);
  const form = element("form", { method: "dialog", on: { submit: () => given(choice.value) } },
    fieldOf("talk.language", choice.select),
    element("div", { className: "actions" },
      element("button", { type: "submit", className: "primary", words: { text: "talk.use" } }),
      button("confirm.back", () => box.close(), { className: "quiet" })));
  const box = dialog("talk.language", "middle", form);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

function groupOf(key, codes) {
  const options = codes.map((code) => element("option", { value: code, textContent: named(code) }));
  return element("optgroup", { words: { label: key } }, ...options);
}

function named(code) {
  const [name, native] = [nameOf(code), nativeNameOf(code)];
  return native && native.toLowerCase() !== name.toLowerCase() ? `${name} · ${native}` : name;
}
