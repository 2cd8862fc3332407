// The messages of a conversation, one below the other. The place where one reads stays; what is new is offered.

import { button, element } from "../dom.js";
import { phrase, t, voice } from "../i18n.js";
import { Turn, dayOf } from "./turn.js";

const NEAR_PX = 32;
const TOGETHER_MS = 5 * 60_000;

export class Log {
  /** `saw()` is called when the reader has the end of the messages before them. */
  constructor(conversation, saw) {
    this.conversation = conversation;
    this.saw = saw;
    this.turns = new Map();
    this.follows = true;
    this.isSeen = false;
    this.acts = {
      translate: (message) => conversation.translate(message),
      sayAgain: (message) => conversation.sayAgain(message),
      takeBack: (message) => conversation.takeBack(message),
    };
    this.#build();
    this.#listen();
    this.reset();
  }

  #build() {
    this.list = element("ol", { className: "turns", words: { "aria-label": "talk.messages" } });
    this.none = element("p", { className: "empty", words: { text: "talk.empty" } });
    this.end = element("div", { className: "end" });
    this.scroller = element("div", { className: "scroller", tabIndex: 0, role: "region", words: { "aria-label": "talk.messages" } },
      this.none, this.list, this.end);
    this.down = button("talk.new_count", () => this.toEnd(), { className: "down", hidden: true });
    this.spoken = element("p", { className: "visually-hidden", "aria-live": "polite" });
    this.node = element("div", { className: "log" }, this.scroller, this.down, this.spoken);
  }

  #listen() {
    this.conversation.addEventListener("reset", () => this.reset());
    this.conversation.addEventListener("message", ({ detail }) => this.#take(detail));
    this.conversation.addEventListener("people", () => this.#dress());
    voice.addEventListener("spoken", () => this.reset());
    this.scroller.addEventListener("scroll", () => this.#scrolled());
    const growth = new ResizeObserver(() => this.follows && this.toEnd());
    growth.observe(this.list);
    growth.observe(this.scroller);
    new IntersectionObserver(([{ isIntersecting }]) => this.#look(isIntersecting)).observe(this.end);
    document.addEventListener("visibilitychange", () => this.#look(this.isSeen));
  }

  /** Show all messages anew. */
  reset() {
    this.turns.clear();
    this.list.replaceChildren();
    const { messages, unsent } = this.conversation.transcript;
    for (const message of [...messages.values(), ...unsent]) this.#draw(message);
    this.#dress();
  }

  /** Show the originals of all messages, or of none but those that are opened one by one. */
  showOriginals(all) {
    this.list.classList.toggle("all-open", all);
  }

  toEnd() {
    this.follows = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  #take({ message, isNew, isGone }) {
    if (isGone) this.#remove(message);
    else this.#draw(message);
    const isMine = message.author === this.conversation.transcript.me;
    if (isNew && isMine) this.#wrote();
    if (isNew && !isMine) this.#arrived(message);
    this.#announce(message, isNew, isMine);
    this.#dressSoon();
  }

  /** One who writes is at the end, and has read what came before. */
  #wrote() {
    this.fresh = undefined;
    this.toEnd();
  }

  #arrived(message) {
    if (this.isRead) this.fresh = undefined;
    else this.fresh ??= message;
    if (this.isRead) this.saw();
  }

  get isRead() {
    return this.isSeen && document.visibilityState === "visible";
  }

  /** Say a message once, when it can be understood. */
  #announce(message, isNew, isMine) {
    const { transcript } = this.conversation;
    const isWaiting = isNew && transcript.standing(message) === "pending";
    const turn = this.turns.get(message);
    if (!turn || isMine) return;
    if (isNew) turn.isUnsaid = true;
    if (!turn.isUnsaid || isWaiting || transcript.standing(message) === "pending") return;
    turn.isUnsaid = false;
    const { text } = transcript.standing(message) === "translated" ? message.translation : message.original;
    this.spoken.textContent = t("talk.says", { name: this.#nameOf(message), text });
  }

  #nameOf({ author }) {
    const person = this.conversation.transcript.people.get(author);
    return person?.name || author;
  }

  #draw(message) {
    const turn = this.turns.get(message) ?? this.#made(message);
    const before = message.id ? this.list.querySelector(".unsent") : null;
    const isUnsent = turn.node.classList.toggle("unsent", !message.id);
    const wasPlaced = turn.node.isConnected && turn.wasSent === !isUnsent;
    turn.wasSent = !isUnsent;
    if (!wasPlaced && before !== turn.node) this.list.insertBefore(turn.node, before);
    this.#show(turn);
  }

  #made(message) {
    const turn = new Turn(message, this.acts);
    this.turns.set(message, turn);
    return turn;
  }

  #show(turn) {
    const { transcript } = this.conversation;
    const { message } = turn;
    const isMine = !message.id || message.author === transcript.me;
    if (isMine) turn.show({ progress: transcript.progress(message) });
    else turn.show({ standing: transcript.standing(message), author: transcript.people.get(message.author) ?? { id: message.author } });
  }

  #remove(message) {
    this.turns.get(message)?.node.remove();
    this.turns.delete(message);
  }

  /** Once for all that comes together. */
  #dressSoon() {
    if (this.isDressing) return;
    this.isDressing = true;
    queueMicrotask(() => { this.isDressing = false; this.#dress(); });
  }

  /** Say of each message what depends on the others: its day, whether its name stands above it, how far it came. */
  #dress() {
    const turns = this.#inOrder();
    this.none.hidden = turns.length > 0;
    turns.forEach((turn, place) => this.#place(turn, turns[place - 1]));
    this.#tellProgress(turns);
    this.#offerDown();
  }

  #inOrder() {
    const { messages, unsent } = this.conversation.transcript;
    return [...messages.values(), ...unsent].map((message) => this.turns.get(message)).filter(Boolean);
  }

  #place(turn, before) {
    const { at, author } = turn.message;
    const day = dayOf(at);
    const isNewDay = !before || dayOf(before.message.at).key !== day.key;
    const isClose = before && before.message.author === author && new Date(at) - new Date(before.message.at) < TOGETHER_MS;
    const isFresh = turn.message === this.fresh;
    turn.place({ day: isNewDay ? day.name : undefined, continues: Boolean(!isNewDay && !isFresh && isClose), isFresh });
  }

  /** Each state is said once, at the last message that came so far. */
  #tellProgress(turns) {
    const { transcript } = this.conversation;
    const told = new Set();
    const mine = turns.filter(({ message }) => !message.id || message.author === transcript.me);
    for (const turn of mine.reverse()) {
      const progress = transcript.progress(turn.message);
      const isToTell = progress.state === "refused" || !told.has(progress.state);
      told.add(progress.state);
      turn.show({ progress });
      turn.tellProgress(isToTell);
    }
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    if (clientHeight) this.follows = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    this.#offerDown();
  }

  #offerDown() {
    const count = this.conversation.transcript.unseen.length;
    this.down.hidden = this.follows;
    phrase(this.down, count ? "talk.new_count" : "talk.to_end", { count });
  }

  #look(isSeen) {
    this.isSeen = isSeen;
    if (this.isRead) this.saw();
  }
}
