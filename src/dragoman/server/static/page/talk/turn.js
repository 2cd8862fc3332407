// One message of a conversation: in the reader's language, with the original at hand, and how it stands.

import { button, element, freshId } from "../dom.js";
import { HARMLESS, findingTitle } from "../sheet.js";
import { phrase, regionalLanguage, t } from "../i18n.js";
import { directionOf, nameOf } from "../languages.js";

const PROGRESS = {
  refused: "talk.refused_message", sending: "talk.sending", sent: "talk.sent", delivered: "talk.delivered", seen: "talk.seen_by",
};

export class Turn {
  /** `acts` are what the reader can do with it: `translate`, `sayAgain` and `takeBack`, each with the message. */
  constructor(message, acts) {
    this.message = message;
    this.acts = acts;
    this.day = element("p", { className: "day" });
    this.line = element("p", { className: "fresh", words: { text: "talk.new" } });
    this.author = element("p", { className: "author" });
    this.words = element("p", { className: "words" });
    this.written = element("p", { className: "as-written", id: freshId("original") });
    this.foot = element("div", { className: "turn-foot" });
    this.bubble = element("div", { className: "bubble", on: { click: () => this.#tap() } }, this.words, this.written);
    this.node = element("li", { className: "turn" }, this.day, this.line, this.author, this.bubble, this.foot);
    this.toggle = button("talk.original", () => this.#open(!this.isOpen), {
      className: "quiet", "aria-controls": this.written.id, "aria-expanded": "false",
    });
  }

  get isOpen() {
    return this.node.classList.contains("open");
  }

  /** Show the message as it is now. `author` is a person, none for one's own; `progress` only for one's own. */
  show({ standing, author, progress }) {
    const { original, translation, at } = this.message;
    const isTranslated = standing === "translated";
    this.isTranslated = isTranslated;
    this.node.classList.toggle("mine", !author);
    this.node.classList.toggle("pending", standing === "pending" || progress?.state === "sending");
    this.author.textContent = author ? author.name || author.id : "";
    say(this.words, isTranslated ? translation : original, isTranslated ? translation.language : original.language);
    say(this.written, original, original.language);
    this.written.hidden = !isTranslated;
    const time = element("time", { dateTime: at, textContent: clock(at) });
    this.foot.replaceChildren(time, ...this.#remarks(standing, author, progress));
  }

  /** Show what stands between it and the one before: a day, a name, a line above what is new. */
  place({ day, continues, isFresh }) {
    this.day.textContent = day ?? "";
    this.day.hidden = !day;
    this.line.hidden = !isFresh;
    this.author.hidden = continues || this.node.classList.contains("mine");
    this.node.classList.toggle("continues", continues);
  }

  /** Whether one's own message says how far it came. */
  tellProgress(tells) {
    this.node.classList.toggle("quiet-turn", !tells);
  }

  #remarks(standing, author, progress) {
    if (!author) return this.#ownRemarks(progress);
    const { original, translation, failure } = this.message;
    const from = element("span");
    phrase(from, "talk.from", { language: nameOf(original.language) });
    const remarks = {
      own: () => [],
      translated: () => [this.toggle, ...translation.findings.filter(({ kind }) => !HARMLESS.has(kind)).map(findingNode)],
      pending: () => [from, element("span", { className: "working", words: { text: failure?.retrying ? "talk.retrying" : "talk.translating" } })],
      failed: () => [from, element("span", { className: "bad", words: { text: "talk.failed" } }), this.#act("talk.again", "translate")],
      offered: () => [from, this.#act("talk.translate", "translate")],
    };
    return remarks[standing]();
  }

  #ownRemarks({ state, by }) {
    const mark = element("span", { className: state === "refused" ? "bad" : "progress-word" });
    const names = by.map(({ name, id }) => name || id).join(", ");
    phrase(mark, PROGRESS[state], { names });
    if (state !== "refused") return [mark];
    const why = element("span", { lang: "en", dir: "ltr", textContent: this.message.refusal.detail });
    return [mark, why, this.#act("talk.again", "sayAgain"), this.#act("talk.take_back", "takeBack")];
  }

  #act(key, name) {
    return button(key, () => this.acts[name](this.message), { className: "quiet" });
  }

  /** A tap shows the original, but not where the reader selects words. */
  #tap() {
    if (this.isTranslated && getSelection().isCollapsed) this.#open(!this.isOpen);
  }

  #open(isOpen) {
    this.node.classList.toggle("open", isOpen);
    this.toggle.setAttribute("aria-expanded", String(isOpen));
  }
}

/** The day of a moment, as a number and as it is called. */
export function dayOf(at) {
  const date = new Date(at);
  const today = new Date();
  const name = date.toLocaleDateString(regionalLanguage(), {
    weekday: "long", day: "numeric", month: "long", ...(date.getFullYear() !== today.getFullYear() && { year: "numeric" }),
  });
  return { key: date.toDateString(), name: date.toDateString() === today.toDateString() ? t("talk.today") : name };
}

function clock(at) {
  return new Date(at).toLocaleTimeString(regionalLanguage(), { timeStyle: "short" });
}

function say(node, { text }, language) {
  if (node.textContent !== text) node.textContent = text;
  node.lang = language;
  node.dir = directionOf(language);
}

function findingNode(finding) {
  return element("span", { className: "doubt", title: finding.message, textContent: findingTitle(finding) });
}
