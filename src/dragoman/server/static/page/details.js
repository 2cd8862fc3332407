// What there is to know of one sentence: its source, how sure the engine is, what was found, and other translations.

import { fetchJson } from "./api.js";
import { button, element, freshId } from "./dom.js";
import { t } from "./i18n.js";
import { directionOf } from "./languages.js";
import { findingTitle } from "./sheet.js";

const WANTED = 3;
const REST_MS = 600; // a pointer on its way over the text asks for nothing

export class Details {
  /** `ask(sentence)` is the body of a request for it alone; `chosen(sentence, text)` is called with what was picked. */
  constructor({ ask, chosen }) {
    this.ask = ask;
    this.chosen = chosen;
    this.isGlance = false;
    this.node = element("div", {
      className: "details", role: "dialog", hidden: true, tabIndex: -1, words: { "aria-label": "sentence.title" },
      on: {
        keydown: (event) => this.#press(event),
        focusin: () => { this.isGlance = false; },
        pointerenter: () => clearTimeout(this.resting),
        pointerleave: () => this.rest(),
      },
    });
    document.addEventListener("pointerdown", (event) => this.#leave(event.target));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.isGlance && this.close());
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** Show what there is to know, for as long as the reader wants it. */
  open(sentence, languages) {
    this.#show(sentence, languages);
    this.isGlance = false;
    this.node.scrollIntoView({ block: "nearest" });
    this.node.focus();
  }

  /** The pointer rests on a sentence, or on none: it is shown for as long as the pointer stays there. */
  rest(sentence, languages) {
    clearTimeout(this.resting);
    if (this.isOpen && !this.isGlance) return;
    this.resting = setTimeout(() => (sentence ? this.#glance(sentence, languages) : this.close()), REST_MS);
  }

  #glance(sentence, languages) {
    if (this.isOpen && this.sentence === sentence) return;
    this.#show(sentence, languages);
    this.isGlance = true;
  }

  #show(sentence, { source, target }) {
    this.close();
    this.sentence = sentence;
    this.target = target;
    this.others = element("div", { className: "others" },
      button("sentence.ask", () => this.#showOthers(), { className: "quiet" }));
    this.node.replaceChildren(
      ...this.#standing(),
      element("p", { className: "original", lang: source, dir: directionOf(source), textContent: sentence.source }),
      this.others,
      button("app.close", () => this.#return(), { className: "quiet close" }));
    this.node.hidden = false;
    this.#place();
  }

  close() {
    clearTimeout(this.resting);
    this.asking?.abort();
    this.node.hidden = true;
    this.isGlance = false;
  }

  #standing() {
    const { confidence, findings, remembered } = this.sentence;
    return [
      ...findings.map((finding) => element("p", { className: "finding" },
        element("strong", { textContent: findingTitle(finding) }),
        element("span", { lang: "en", dir: "ltr", textContent: finding.message }))),
      ...(confidence === undefined ? [] : [element("p", { className: "standing", textContent: confidenceInWords(confidence) })]),
      ...(remembered ? [element("p", { className: "standing", words: { text: "sentence.remembered" } })] : []),
    ];
  }

  async #showOthers() {
    const { sentence, others } = this;
    this.asking = new AbortController();
    others.replaceChildren(element("p", { className: "standing", words: { text: "sentence.asking" } }));
    this.node.focus(); // the button that had it is gone
    try {
      const body = { ...this.ask(sentence), alternatives: WANTED };
      const { translations: [answer] } = await fetchJson("POST", "/v1/translate", { json: body, signal: this.asking.signal });
      others.replaceChildren(...this.#choices(sentence, answer.alternatives ?? []));
      this.node.scrollIntoView({ block: "nearest" });
    } catch (error) {
      if (error.name === "AbortError") return;
      const kind = t(`problem.${error.kind ?? "server"}`);
      others.replaceChildren(element("p", { className: "standing", role: "alert", textContent: `${kind}. ${error.message}` }));
    }
  }

  #choices(sentence, alternatives) {
    const texts = [...new Set([sentence.original ?? sentence.text, ...alternatives])];
    if (texts.length < 2) return [element("p", { className: "standing", words: { text: "sentence.no_alternatives" } })];
    const id = freshId("others");
    const choices = texts.map((text) => element("li", {}, this.#choice(sentence, text)));
    return [
      element("h3", { id, words: { text: "sentence.alternatives" } }),
      element("ul", { "aria-labelledby": id }, ...choices),
    ];
  }

  #choice(sentence, text) {
    return element("button", {
      type: "button", className: "choice", lang: this.target, dir: directionOf(this.target), textContent: text,
      "aria-pressed": String(text === sentence.text),
      on: { click: () => { this.chosen(sentence, text); this.#return(); } },
    });
  }

  /** Under the last line of its sentence, within the page that holds it. */
  #place() {
    const page = this.node.parentElement.getBoundingClientRect();
    const lines = [...this.sentence.node.getClientRects()];
    const last = lines.at(-1);
    this.node.style.insetBlockStart = `${last.bottom - page.top + 8}px`;
    const left = Math.max(0, Math.min(last.left - page.left, page.width - this.node.offsetWidth));
    this.node.style.left = `${left}px`;
  }

  #press(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // it closes this, and does not stop the translation
    this.#return();
  }

  #return() {
    this.close();
    this.sentence.node.focus();
  }

  #leave(target) {
    if (this.isOpen && !this.node.contains(target)) this.close();
  }
}

function confidenceInWords(confidence) {
  const level = ["sentence.low", "sentence.medium", "sentence.high"][Number(confidence >= 0.5) + Number(confidence >= 0.8)];
  return t(level, { percent: Math.round(confidence * 100) });
}
