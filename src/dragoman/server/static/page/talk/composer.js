// Where one writes: it grows with its text, Enter sends, and others learn that one types.

import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";

const MOST_CHARACTERS = 4000;
const TELL_FROM = 3500;
const PAUSE_MS = 4000;
const GROWS_BY_ITSELF = CSS.supports("field-sizing", "content");

export class Composer {
  /** `said(text)` gets each message, `typed(on)` whether the writer is at it. */
  constructor({ said, typed }) {
    Object.assign(this, { said, typed, isTyping: false });
    this.area = element("textarea", {
      rows: 1, enterKeyHint: "send", words: { "aria-label": "talk.write", placeholder: "talk.write" },
      on: {
        input: () => this.#edited(),
        keydown: (event) => this.#press(event),
        blur: () => this.#tell(false),
      },
    });
    this.count = element("p", { className: "caption", role: "status" });
    this.sendButton = button("talk.send", () => this.#send(), { className: "primary" });
    this.node = element("div", { className: "composer" }, this.area, this.sendButton, this.count);
    this.#show();
  }

  focus() {
    this.area.focus();
  }

  /** Write in a language's direction. */
  speak(language, direction) {
    this.area.lang = language;
    this.area.dir = this.area.value ? direction : "";
    this.direction = direction;
  }

  #edited() {
    this.area.dir = this.area.value ? this.direction : ""; // the hint is in the page's language
    this.#show();
    this.#tell(this.area.value.trim() !== "");
  }

  #press(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #send() {
    const text = this.area.value.trim();
    if (!text || lengthOf(text) > MOST_CHARACTERS) return;
    this.area.value = "";
    this.#forgetPause();
    this.isTyping = false;
    this.#edited();
    this.said(text);
    this.focus();
  }

  #show() {
    const length = lengthOf(this.area.value.trim());
    this.sendButton.disabled = !length || length > MOST_CHARACTERS;
    phrase(this.count, length > TELL_FROM ? "talk.length" : "", { count: length, most: MOST_CHARACTERS });
    this.count.classList.toggle("bad", length > MOST_CHARACTERS);
    if (!GROWS_BY_ITSELF) this.#grow();
  }

  #grow() {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`; // and its border
  }

  #tell(on) {
    this.#forgetPause();
    if (on) this.pause = setTimeout(() => this.#tell(false), PAUSE_MS);
    if (this.isTyping === on) return;
    this.isTyping = on;
    this.typed(on);
  }

  #forgetPause() {
    clearTimeout(this.pause);
  }
}

/** As the server counts: by characters, not by halves of them. */
function lengthOf(text) {
  return [...text].length;
}
