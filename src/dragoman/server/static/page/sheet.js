// The translation as it is written: a span for each sentence, with what is to be said of it.

import { element } from "./dom.js";
import { knows, t } from "./i18n.js";
import { directionOf } from "./languages.js";

/** Kinds of findings that are notes and no faults. */
export const HARMLESS = new Set(["repaired", "script_converted", "formality_ignored"]);
const UNSURE_BELOW = 0.5;

/** What the page calls a finding; the server's own message where it knows no better. */
export function findingTitle({ kind, message }) {
  return knows(`finding.${kind}`) ? t(`finding.${kind}`) : message;
}

export class Sheet {
  /** `opened(sentence)` is called for the sentence that the reader wants to know more of. */
  constructor(opened) {
    this.opened = opened;
    this.node = element("div", {
      className: "sheet text", role: "group", words: { "aria-label": "translate.target" },
      on: { click: (event) => this.#click(event), keydown: (event) => this.#press(event) },
    });
    this.clear();
  }

  clear() {
    this.sentences = [];
    this.after = "";
    this.unwritten = new Set();
    this.total = 0;
    this.node.replaceChildren();
    this.node.classList.remove("stale");
    this.busy = false;
  }

  /** A new translation is asked for: what stands here is old, but it stays until there is something newer. */
  expect() {
    this.node.classList.add("stale");
    this.busy = true;
  }

  /** What is being written has an end, for better or worse. */
  settle() {
    this.#flush();
    this.node.classList.remove("stale");
    this.busy = false;
    this.node.querySelector(".writing")?.classList.remove("writing");
  }

  set busy(is) {
    this.node.setAttribute("aria-busy", String(is));
  }

  get done() {
    return this.sentences.filter((sentence) => sentence?.done).length;
  }

  get remembered() {
    return this.sentences.filter((sentence) => sentence?.remembered).length;
  }

  /** The sentences of which something is to be said that is no harmless note. */
  get doubtful() {
    return this.sentences.filter((sentence) => sentence?.node.matches(".faulty, .unsure"));
  }

  get text() {
    return this.sentences.map(({ before, text }) => before + text).join("") + this.after;
  }

  start({ target, segments }) {
    this.clear();
    this.busy = true;
    this.total = segments;
    this.node.lang = target;
    this.node.dir = directionOf(target);
  }

  startSentence({ segment, source, before }) {
    this.node.querySelector(".writing")?.classList.remove("writing");
    const words = document.createTextNode("");
    const node = element("span", {
      className: "sentence writing", role: "button", "aria-haspopup": "dialog", tabIndex: segment ? -1 : 0,
    }, words);
    node.dataset.sentence = segment;
    this.sentences[segment] = { index: segment, source, before, text: "", findings: [], node, words };
    this.node.append(before, node);
  }

  write({ segment, text }) {
    this.#set(this.sentences[segment], this.sentences[segment].text + text);
  }

  replace({ segment, text }) {
    this.#set(this.sentences[segment], text);
  }

  finishSentence({ segment, text, findings, confidence, remembered }) {
    const sentence = this.sentences[segment];
    Object.assign(sentence, { findings, confidence, remembered, done: true });
    sentence.node.classList.remove("writing");
    sentence.node.classList.toggle("faulty", findings.some(({ kind }) => !HARMLESS.has(kind)));
    sentence.node.classList.toggle("unsure", confidence !== undefined && confidence < UNSURE_BELOW);
    if (findings.length) sentence.node.setAttribute("aria-description", findings.map(findingTitle).join(". "));
    this.#set(sentence, text);
  }

  finish({ translation, after = "" }) {
    this.after = after;
    this.node.append(after);
    this.settle();
    if (this.text !== translation.text) this.#showWhole(translation.text);
  }

  /** Put another translation in a sentence's place, as the reader wishes. */
  choose(sentence, text) {
    sentence.original ??= sentence.text;
    sentence.node.classList.toggle("chosen", text !== sentence.original);
    this.#set(sentence, text);
    this.#flush();
  }

  light(index) {
    this.node.querySelector(".lit")?.classList.remove("lit");
    this.sentences[index]?.node.classList.add("lit");
  }

  focusOn(sentence) {
    for (const { node } of this.sentences) node.tabIndex = node === sentence.node ? 0 : -1;
    sentence.node.focus();
  }

  /** The whole text is the truth where its sentences do not add up to it. */
  #showWhole(text) {
    this.sentences = [];
    this.after = text;
    this.node.replaceChildren(text);
  }

  #set(sentence, text) {
    sentence.text = text;
    if (!this.unwritten.size) requestAnimationFrame(() => this.#flush());
    this.unwritten.add(sentence);
  }

  #flush() {
    for (const { words, text } of this.unwritten) words.data = text;
    this.unwritten.clear();
  }

  #sentenceOf(node) {
    return this.sentences[node.closest(".sentence")?.dataset.sentence];
  }

  #click(event) {
    const sentence = this.#sentenceOf(event.target);
    if (sentence?.done && getSelection().isCollapsed) this.opened(sentence);
  }

  #press(event) {
    const sentence = this.#sentenceOf(event.target);
    if (!sentence) return;
    const next = this.#neighbour(sentence, event.key);
    if (next) this.focusOn(next);
    else if (["Enter", " "].includes(event.key) && !event.ctrlKey && !event.metaKey && sentence.done) this.opened(sentence);
    else return;
    event.preventDefault();
  }

  #neighbour({ index }, key) {
    const [forth, back] = this.node.dir === "rtl" ? ["ArrowLeft", "ArrowRight"] : ["ArrowRight", "ArrowLeft"];
    const places = { [forth]: index + 1, ArrowDown: index + 1, [back]: index - 1, ArrowUp: index - 1, Home: 0 };
    return this.sentences[key === "End" ? this.sentences.length - 1 : places[key]];
  }
}
