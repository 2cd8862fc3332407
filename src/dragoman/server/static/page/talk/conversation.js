// A conversation as one participant has it: what is known, the line to the server, and what is not sent yet.

import { apiKey } from "../api.js";
import { Line } from "./line.js";
import { forgetSeat, keepSeat, seatOf } from "./seats.js";
import { Transcript } from "./transcript.js";

/**
 * Fires `message` with `detail` `{ message, isNew }`, `state` when the line's state is another, and `people` when
 * somebody came, left, types, read or changed their language. `end` says why it is over, once it is.
 */
export class Conversation extends EventTarget {
  /** `token` is undefined for the owner's first visit; `took(token)` is called with the one to come back by. */
  constructor({ room, token, name, language, took = () => {} }) {
    super();
    const seat = token && seatOf(token);
    Object.assign(this, { room, token, name, took, language: seat?.language ?? language });
    this.transcript = new Transcript();
    for (const { clientId, text, at } of seat?.unsent ?? []) this.transcript.write(clientId, text, this.language, at);
    this.line = new Line({
      room,
      introduce: () => this.#introduction(),
      took: (told) => this.#take(told),
      turned: () => this.#fire("state"),
    });
  }

  get state() {
    return this.line.state;
  }

  open() {
    this.line.open();
  }

  close() {
    this.line.close();
  }

  /** Write a message: it is kept until the server has it. */
  say(text) {
    this.isTyping = false; // a message ends it without a word
    const message = this.transcript.write(freshId(), text, this.language);
    this.#keep();
    this.#fire("message", { message, isNew: true });
    this.#send(message);
  }

  /** Send a message once more that the server refused. */
  sayAgain(message) {
    delete message.refusal;
    this.#fire("message", { message, isNew: false });
    this.#send(message);
  }

  /** Give up a message that is not sent. */
  takeBack(message) {
    this.transcript.forget(message);
    this.#keep();
    this.#fire("message", { message, isNew: false, isGone: true });
  }

  /** Want a message in one's own language. */
  translate(message) {
    message.isAsked = true;
    this.line.send({ type: "again", id: message.id });
    this.#fire("message", { message, isNew: false });
  }

  type(on) {
    this.isTyping = on;
    this.line.send({ type: "typing", on });
  }

  /** Everything that is there was seen. */
  see() {
    const { unseen, lastEvent } = this.transcript;
    if (!unseen.length || !this.line.isOpen) return;
    this.transcript.see(lastEvent);
    this.line.send({ type: "seen", event: lastEvent });
    this.#fire("people");
  }

  /** Write and read another language from now on. */
  speak(language) {
    this.language = language;
    const me = this.transcript.people.get(this.transcript.me);
    if (me) me.language = language;
    this.#keep();
    this.line.send({ type: "language", language });
    this.transcript.askForRecent();
    this.#askAgain();
    this.#fire("reset");
  }

  /** Leave for good: the token opens nothing any more. */
  leave() {
    this.line.send({ type: "leave" });
    this.end = "left";
    if (!this.line.isOpen) this.line.close();
    forgetSeat(this.token);
  }

  #introduction() {
    const whom = this.token ? { token: this.token } : { key: apiKey() || null };
    return { ...whom, name: this.name, language: this.language, last_event: this.transcript.lastEvent };
  }

  #take(told) {
    if (told.type === "joined") return this.#joined(told);
    if (told.type === "closed") this.end = told.reason;
    if (told.type === "error" && !told.client_id) return this.#refused(told.error);
    const isKnown = this.transcript.messages.has(told.id);
    const message = this.transcript.take(told);
    if (told.type === "message") this.#keep();
    if (message) return this.#fire("message", { message, isNew: told.type === "message" && !isKnown });
    return this.#fire("people");
  }

  #joined(told) {
    const isFirst = this.transcript.lastEvent === 0;
    const known = new Set(this.transcript.messages.keys());
    this.token = told.resume_token;
    this.transcript.join(told);
    this.took(this.token);
    this.#keep();
    for (const message of this.transcript.unsent) this.#send(message);
    this.#askAgain();
    if (this.isTyping) this.type(true);
    if (isFirst) this.#fire("reset");
    else for (const message of this.transcript.messages.values()) this.#fire("message", { message, isNew: !known.has(message.id) });
    this.#fire("people");
  }

  /** A server that lost the last events knows less than this page does: what it knows is the truth. */
  #refused(error) {
    this.problem = error;
    if (error.field !== "last_event") return;
    this.transcript.clear();
    this.line.open();
  }

  #send(message) {
    if (!this.line.isOpen || message.refusal) return;
    this.line.send({ type: "message", client_id: message.clientId, text: message.original.text });
    this.line.expectAnswer();
  }

  #askAgain() {
    for (const { id } of this.transcript.asked) this.line.send({ type: "again", id });
  }

  #keep() {
    if (!this.token) return;
    const unsent = this.transcript.unsent.map(({ clientId, at, original }) => ({ clientId, at, text: original.text }));
    keepSeat(this.token, { name: this.name, language: this.language, unsent });
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** crypto.randomUUID is there on encrypted pages only. */
function freshId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("-");
}
