// The translator: a text on the left page, its translation on the right one.

import { ConnectionProblem, serverIsBack } from "../api.js";
import { LanguageBox } from "../combobox.js";
import { Details } from "../details.js";
import { askForKey } from "../key.js";
import { button, element, iconButton } from "../dom.js";
import { History, keepsHistory, record } from "../history.js";
import { phrase, preferredLanguage, voice } from "../i18n.js";
import { DETECT, directionOf, isLanguage, offered } from "../languages.js";
import { Mirror } from "../mirror.js";
import { Options } from "../options.js";
import { remember, route } from "../route.js";
import { follow } from "../run.js";
import { Sheet } from "../sheet.js";
import { States } from "../states.js";
import { keep, recall } from "../store.js";

const PAUSE_MS = 400;
const BY_ITSELF_UP_TO = 5000; // characters; a longer text waits until it is asked for
const LONG_FROM = 400;

export class TranslateView {
  constructor(section) {
    const { source, target } = chosenPair();
    this.source = source;
    this.target = target;
    this.states = new States();
    this.sheet = new Sheet((sentence) => this.#openDetails(sentence));
    this.options = new Options(() => this.translate());
    this.history = new History((entry) => this.#reopen(entry));
    this.details = new Details({
      ask: (sentence) => ({ ...this.#body(), text: sentence.source, source: this.#spokenSource() }),
      chosen: (sentence, text) => this.sheet.choose(sentence, text),
    });
    this.#makeControls();
    section.append(...this.#layout(), this.history.node);
    this.#listen();
    this.#showPair();
    this.#write(recall("draft", ""));
  }

  /** What the keyboard does here. */
  get shortcuts() {
    return [
      { keys: ["Ctrl", "Enter"], does: "shortcuts.translate", run: () => this.translate() },
      { keys: ["Esc"], does: "shortcuts.stop", run: () => this.stop() },
      { keys: ["Ctrl", "Shift", "S"], does: "shortcuts.swap", run: () => this.swap() },
      { keys: ["Ctrl", "Shift", "Enter"], does: "shortcuts.copy", run: () => this.copy() },
      { keys: ["Ctrl", "Shift", "L"], does: "shortcuts.language", run: () => this.targetBox.focus() },
      { keys: ["/"], does: "shortcuts.language_outside", run: () => this.targetBox.focus() },
      { keys: ["↑", "↓"], does: "shortcuts.sentences" },
      { keys: ["Enter"], does: "shortcuts.details" },
    ];
  }

  /** Translate what stands on the left, now. */
  async translate() {
    this.#end();
    const text = this.area.value;
    if (!text.trim()) return this.#showEmpty();
    const control = new AbortController();
    this.running = control;
    this.#begin();
    try {
      const whole = await follow(this.#body(), { sheet: this.sheet, signal: control.signal, ...this.#reports(control) });
      if (this.running === control) this.#finish(text, whole);
    } catch (error) {
      if (this.running === control) this.#fail(error);
    }
  }

  /** Stop what is being translated; what was written stays. */
  stop() {
    if (!this.running) return;
    this.#end();
    this.#settle();
    this.states.stopped(() => this.translate());
  }

  swap() {
    const translated = this.area.value.trim() ? this.sheet.text : "";
    const source = this.#spokenSource();
    if (!source) return;
    [this.source, this.target] = [this.target, source];
    this.detected = undefined;
    this.#showPair();
    if (translated) this.#write(translated);
    this.translate();
  }

  async copy() {
    if (!this.sheet.text) return;
    await copyText(this.sheet.text, this.node);
    phrase(this.copyButton, "translate.copied");
    setTimeout(() => phrase(this.copyButton, "translate.copy"), 1500);
  }

  #makeControls() {
    this.sourceBox = new LanguageBox({
      label: "translate.source_language", value: this.source, detects: true, chosen: (code) => this.#choose("source", code),
    });
    this.targetBox = new LanguageBox({
      label: "translate.target_language", value: this.target, chosen: (code) => this.#choose("target", code),
    });
    this.area = element("textarea", {
      className: "text", spellcheck: false, rows: 1,
      words: { "aria-label": "translate.source", placeholder: "translate.source_empty" },
    });
    this.mirror = new Mirror();
    this.room = element("div", { className: "writing-room text" }, this.mirror.node, this.area);
    this.count = element("span", { className: "count" });
    this.goButton = button("translate.start", () => (this.running ? this.stop() : this.translate()), { className: "primary" });
    this.clearButton = button("translate.clear", () => this.#clear(), { className: "quiet" });
    this.copyButton = button("translate.copy", () => this.copy(), { className: "quiet" });
    this.doubts = button("translate.doubts", () => this.#nextDoubt(), { className: "quiet doubts" });
    this.story = element("span", { className: "count" });
    this.bar = element("div", { className: "progress", role: "progressbar", hidden: true, words: { "aria-label": "translate.progress_label" } });
  }

  #layout() {
    this.node = element("div", { className: "translator" },
      element("div", { className: "pair" },
        this.sourceBox.node, iconButton("swap", "translate.swap", () => this.swap()), this.targetBox.node, this.bar),
      element("div", { className: "page" },
        this.room,
        element("div", { className: "foot" }, this.count, this.clearButton, this.goButton)),
      element("div", { className: "page" },
        this.states.node, this.sheet.node, this.details.node,
        element("div", { className: "foot" },
          this.story, this.doubts, this.copyButton)));
    const historyButton = button("history.title", () => this.history.open(), { className: "quiet" });
    const below = element("div", { className: "below" }, this.options.node, historyButton);
    return [element("h1", { className: "visually-hidden", words: { text: "view.translate" } }), this.node, below];
  }

  #listen() {
    this.area.addEventListener("input", () => {
      cancelAnimationFrame(this.edit); // a browser may tell of each line of a long insertion
      this.edit = requestAnimationFrame(() => this.#edited());
    });
    this.area.addEventListener("pointermove", (event) => this.#light(this.mirror.at(event.clientX, event.clientY)));
    this.area.addEventListener("pointerleave", () => this.#light());
    document.addEventListener("selectionchange", () => this.#lightAtCaret());
    this.sheet.node.addEventListener("pointerover", (event) => this.#point(event));
    this.sheet.node.addEventListener("pointerleave", () => this.#pointElsewhere());
    this.sheet.node.addEventListener("focusin", (event) => this.#light(sentenceUnder(event)));
    this.sheet.node.addEventListener("focusout", () => this.#light());
    voice.addEventListener("spoken", () => this.#take());
    window.addEventListener("hashchange", () => this.#followAddress());
  }

  #body() {
    return {
      text: this.area.value,
      target: this.target,
      ...(this.source !== DETECT && { source: this.source }),
      ...this.options.wishes(),
    };
  }

  /** The language of the text as far as it is known: chosen, or else detected. */
  #spokenSource() {
    return this.source === DETECT ? this.detected?.language : this.source;
  }

  #reports(control) {
    return {
      started: (data) => this.#started(data),
      word: (data) => this.#word(data),
      progressed: () => this.#showProgress(),
      slow: () => control === this.running && this.states.slow(),
    };
  }

  #begin() {
    this.since = performance.now();
    this.details.close();
    this.sheet.expect();
    this.mirror.write(this.area.value);
    this.states.clear();
    phrase(this.goButton, "translate.stop");
    this.story.textContent = "";
    this.doubts.hidden = true;
    this.bar.hidden = false;
    this.bar.removeAttribute("aria-valuenow");
    this.bar.style.setProperty("--done", 0);
  }

  #started({ detected }) {
    this.detected = detected;
    this.#showSource();
    this.node.dataset.length = this.area.value.length > LONG_FROM ? "long" : "short";
  }

  #word({ segment, source }) {
    if (source !== undefined) this.mirror.mark(segment, source);
    if (this.states.calm.hasChildNodes()) this.states.clear();
  }

  #showProgress() {
    const { done, total } = this.sheet;
    this.bar.setAttribute("aria-valuenow", Math.round((100 * done) / total));
    this.bar.style.setProperty("--done", done / total);
    phrase(this.story, "translate.progress", { done, total });
  }

  #finish(text, whole) {
    const { remembered, total } = this.sheet;
    this.#settle();
    this.states.ready();
    this.options.hear(whole.findings);
    const seconds = Math.max(1, Math.round((performance.now() - this.since) / 100)) / 10;
    phrase(this.story, remembered ? "translate.took_remembered" : "translate.took", { seconds, remembered, total });
    record({ text, source: whole.source, target: this.target, translation: whole.text });
  }

  #fail(error) {
    if (error.name === "AbortError") return;
    this.#settle();
    this.story.textContent = "";
    this.states.failed(error, { again: () => this.translate(), askForKey: () => askForKey(() => this.translate()) });
    if (error instanceof ConnectionProblem) this.#translateWhenBack();
    else if (!error.kind) throw error;
  }

  /** Nothing more is to come: neither words nor an end. */
  #end() {
    clearTimeout(this.pause);
    this.returning?.abort();
    this.running?.abort();
    this.running = undefined;
  }

  #settle() {
    this.running = undefined;
    this.sheet.settle();
    this.bar.hidden = true;
    phrase(this.goButton, "translate.start");
    const count = this.sheet.doubtful.length;
    this.doubts.hidden = !count;
    phrase(this.doubts, "translate.doubts", { count });
    this.copyButton.disabled = !this.sheet.text;
  }

  async #translateWhenBack() {
    const waiting = new AbortController();
    this.returning = waiting;
    await serverIsBack(waiting.signal);
    if (!waiting.signal.aborted) this.translate();
  }

  #edited() {
    this.#take();
    this.#end();
    const length = this.area.value.length;
    if (!this.area.value.trim()) this.#showEmpty();
    else if (length <= BY_ITSELF_UP_TO) this.pause = setTimeout(() => this.translate(), PAUSE_MS);
    else this.#settle();
  }

  #write(text) {
    this.area.value = text;
    this.#take();
    if (!text.trim()) this.#showEmpty();
    else this.translate();
  }

  /** What follows from the text alone. */
  #take() {
    const text = this.area.value;
    this.mirror.write(text);
    this.#showCount();
    this.#turn();
    this.clearButton.hidden = !text;
    this.goButton.disabled = !text.trim();
    clearTimeout(this.saving);
    this.saving = setTimeout(() => keep("draft", keepsHistory() && text ? text : undefined), PAUSE_MS);
  }

  #showCount() {
    phrase(this.count, this.area.value ? "translate.characters" : "", { count: this.area.value.length });
  }

  #showEmpty() {
    this.detected = undefined;
    this.sheet.clear();
    this.details.close();
    this.#settle();
    this.story.textContent = "";
    this.node.dataset.length = "short";
    this.#showSource();
    this.states.empty();
  }

  #clear() {
    this.#end();
    this.#write("");
    this.area.focus();
  }

  #reopen({ text, source, target }) {
    [this.source, this.target] = [source, target];
    this.#showPair();
    this.#write(text);
  }

  #choose(side, code) {
    this[side] = code;
    this.detected = undefined;
    this.#showPair();
    this.translate();
  }

  #showPair() {
    keep("pair", { source: this.source, target: this.target });
    remember("translate", { source: this.source, target: this.target });
    this.targetBox.show(this.target);
    this.#showSource();
  }

  #showSource() {
    this.sourceBox.show(this.source, this.detected);
    this.#turn();
  }

  /** An empty page runs as the reader's own language does, for what stands there is in it. */
  #turn() {
    const spoken = this.#spokenSource() ?? DETECT;
    this.area.dir = this.area.value ? directionOf(spoken) : document.documentElement.dir;
    this.mirror.node.dir = this.area.dir;
    this.room.lang = spoken === DETECT ? "" : spoken;
  }

  #followAddress() {
    if (route().view !== "translate") return;
    const { source, target } = chosenPair();
    if (source === this.source && target === this.target) return;
    [this.source, this.target] = [source, target];
    this.#showPair();
    this.translate();
  }

  #light(index) {
    this.mirror.light(index);
    this.sheet.light(index);
  }

  #lightAtCaret() {
    if (document.activeElement === this.area && !this.running) this.#light(this.mirror.around(this.area.selectionStart));
  }

  #point(event) {
    const index = sentenceUnder(event);
    this.#light(index);
    const sentence = this.sheet.sentences[index];
    if (event.pointerType === "mouse") this.details.rest(sentence?.done ? sentence : undefined, this.#languages);
  }

  #pointElsewhere() {
    this.#light();
    this.details.rest();
  }

  get #languages() {
    return { source: this.#spokenSource(), target: this.target };
  }

  #openDetails(sentence) {
    this.details.open(sentence, this.#languages);
    this.#light(sentence.index);
  }

  #nextDoubt() {
    const { doubtful } = this.sheet;
    const at = doubtful.indexOf(this.details.isOpen ? this.details.sentence : undefined);
    this.#openDetails(doubtful[(at + 1) % doubtful.length]);
  }
}

/** Build the view into its section; returns it, with its `shortcuts`. */
export function mount(section) {
  return new TranslateView(section);
}

/** The languages that the address names, else those of the last visit, else what this reader most likely wants. */
export function chosenPair() {
  const { parameters } = route();
  const last = recall("pair", {});
  const source = [parameters.get("source"), last.source].find((code) => code && (code === DETECT || isLanguage(code)));
  const target = [parameters.get("target"), last.target].find((code) => code && isLanguage(code));
  return { source: source ?? DETECT, target: target ?? likelyTarget() };
}

function likelyTarget() {
  const own = preferredLanguage();
  return own === "en" ? "de-DE" : offered().find((code) => code.split("-")[0] === own);
}

function sentenceUnder(event) {
  const index = event.target.closest?.("[data-sentence]")?.dataset.sentence;
  return index === undefined ? undefined : Number(index);
}

/** Also where the browser has no clipboard to offer, as on addresses without TLS. */
async function copyText(text, beside) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const focused = document.activeElement;
  const area = element("textarea", { value: text, className: "visually-hidden" });
  beside.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  focused.focus();
  return undefined;
}
