// A conversation on the page: who is there, how the connection is, the messages, and where one writes.

import { button, element } from "../dom.js";
import { pageLanguage, phrase, t, voice } from "../i18n.js";
import { directionOf, nameOf } from "../languages.js";
import { notice } from "../states.js";
import { Composer } from "./composer.js";
import { askForLanguage } from "./introduction.js";
import { Log } from "./log.js";

/** What can be done about a connection's end, by the state of the line. */
const ENDS = { elsewhere: "talk.here", refused: "talk.retry" };

export class Room {
  /** `actions` are more buttons for its head. */
  constructor(conversation, ...actions) {
    this.conversation = conversation;
    this.title = element("h2");
    this.people = element("ul", { className: "people", words: { "aria-label": "talk.people" } });
    this.speaking = button("talk.your_language", () => this.#chooseLanguage(), { className: "quiet" });
    this.originals = button("talk.originals", () => this.#toggleOriginals(), { className: "quiet", "aria-pressed": "false" });
    this.banner = element("div", { className: "banner", role: "status" });
    this.log = new Log(conversation, () => conversation.see());
    this.typing = element("p", { className: "typing caption" });
    this.composer = new Composer({ said: (text) => conversation.say(text), typed: (on) => conversation.type(on) });
    this.head = element("header", {},
      element("div", { className: "who" }, this.title, this.people),
      element("div", { className: "acts" }, this.speaking, this.originals, ...actions));
    this.node = element("article", { className: "talk" }, this.head, this.banner, this.log.node, this.typing, this.composer.node);
    this.#listen();
    this.#showAll();
  }

  focus() {
    this.composer.focus();
  }

  #listen() {
    this.conversation.addEventListener("state", () => this.#showState());
    this.conversation.addEventListener("people", () => this.#showPeople());
    this.conversation.addEventListener("reset", () => this.#showPeople());
    this.conversation.addEventListener("message", () => this.#showTyping());
    voice.addEventListener("spoken", () => this.#showAll());
  }

  #showAll() {
    this.#showPeople();
    this.#showState();
  }

  #showPeople() {
    const { title, others } = this.conversation.transcript;
    this.title.textContent = title || t("talk.untitled");
    this.node.setAttribute("aria-label", this.title.textContent);
    this.people.replaceChildren(...(others.length ? others.map(personNode) : [element("li", { words: { text: "talk.alone" } })]));
    const language = this.conversation.language;
    phrase(this.speaking, "talk.your_language", { language: nameOf(language) });
    this.composer.speak(language, directionOf(language));
    this.#showTyping();
  }

  #showTyping() {
    const { typing, people, me } = this.conversation.transcript;
    const names = [...typing].filter((id) => id !== me).map((id) => people.get(id)?.name || id);
    phrase(this.typing, names.length ? "talk.typing" : "", { names: listed(names) });
  }

  #showState() {
    const { state, end, transcript } = this.conversation;
    const isOver = ["over", "closed"].includes(state) && end !== undefined;
    this.composer.node.hidden = isOver || state === "refused";
    const isAway = state === "waiting" || (state === "joining" && transcript.me !== undefined);
    this.node.classList.toggle("away", isAway);
    if (state === "open") this.banner.replaceChildren();
    else if (isOver) this.banner.replaceChildren(notice("stopped", `talk.end_${end}`));
    else if (isAway) this.#showAway();
    else if (state in ENDS) this.#showEnd(state);
  }

  #showAway() {
    if (this.banner.querySelector(".waiting")) return; // it is said once, not with each try
    this.banner.replaceChildren(notice("waiting", "talk.away", button("talk.now", () => this.conversation.open(), { className: "quiet" })));
  }

  #showEnd(state) {
    const { problem } = this.conversation;
    const box = notice(state === "refused" ? "failed" : "stopped", `talk.${state}`);
    if (state === "refused" && problem) box.append(element("p", { lang: "en", dir: "ltr", textContent: problem.detail }));
    box.append(button(ENDS[state], () => this.conversation.open()));
    this.banner.replaceChildren(box);
  }

  #toggleOriginals() {
    const all = this.originals.getAttribute("aria-pressed") !== "true";
    this.originals.setAttribute("aria-pressed", String(all));
    this.log.showOriginals(all);
  }

  #chooseLanguage() {
    askForLanguage(this.conversation.language, (code) => this.conversation.speak(code));
  }
}

function personNode({ id, name, language, on }) {
  const state = element("span", { className: "visually-hidden", words: { text: on ? "talk.there" : "talk.not_there" } });
  return element("li", { className: on ? "there" : "gone" },
    element("span", { className: "name", textContent: name || id }), element("span", { textContent: nameOf(language) }), state);
}

function listed(names) {
  return new Intl.ListFormat(pageLanguage(), { type: "conjunction" }).format(names);
}
