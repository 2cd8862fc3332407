// What is known of a conversation: its people and its messages. No I/O: events come in, what is to be shown is asked.

import { sameTongue } from "../languages.js";

/** How many of the messages from before one came are asked for in one's own language without a word. */
const ASKED_BY_ITSELF = 20;

/** A message is `{ clientId, id?, event?, author, at, original, translation?, failure?, expected, refusal? }`: without
 * an `id` it is one's own and still on its way. `expected` says that a translation of it is to come. */
export class Transcript {
  constructor() {
    this.clear();
  }

  /** Forget everything but what is not sent yet. */
  clear() {
    const unsent = this.unsent ?? [];
    this.me = undefined;
    this.title = "";
    this.lastEvent = 0;
    this.people = new Map();
    this.typing = new Set();
    this.messages = new Map();
    this.unsent = unsent;
  }

  /** The others who take part, those who are there first. */
  get others() {
    const others = [...this.people.values()].filter(({ id }) => id !== this.me);
    return others.sort((one, other) => Number(other.on) - Number(one.on));
  }

  get language() {
    return this.people.get(this.me)?.language;
  }

  get last() {
    return [...this.messages.values()].at(-1);
  }

  /** The messages of others that one has not seen. */
  get unseen() {
    const seen = this.people.get(this.me)?.seen ?? 0;
    return [...this.messages.values()].filter(({ author, event }) => author !== this.me && event > seen);
  }

  /** The messages whose translation was asked for and is not there. */
  get asked() {
    return [...this.messages.values()].filter(({ isAsked }) => isAsked);
  }

  /** The answer to `join`; what it tells is new where there was nothing before. */
  join({ participant, event, title, participants, history }) {
    const isNew = this.lastEvent === 0;
    this.me = participant;
    this.title = title;
    this.people = new Map(participants.map((person) => [person.id, person]));
    this.typing.clear();
    for (const told of history) this.take(told, !isNew);
    this.lastEvent = Math.max(this.lastEvent, event);
    if (isNew) this.askForRecent();
  }

  /** Take an event of the server's; `isLive` where a translation follows a message. The message it is about, if any. */
  take(told, isLive = true) {
    this.lastEvent = Math.max(this.lastEvent, told.event ?? 0);
    return this[TAKERS[told.type]]?.(told, isLive);
  }

  /** Want the latest messages in one's own language. */
  askForRecent() {
    const recent = [...this.messages.values()].slice(-ASKED_BY_ITSELF);
    for (const message of recent) if (this.standing(message) === "offered") message.isAsked = true;
  }

  /** One's own message that is not sent yet. */
  write(clientId, text, language, at = new Date().toISOString()) {
    const message = { clientId, author: this.me, at, original: { text, language } };
    this.unsent.push(message);
    return message;
  }

  forget(message) {
    this.unsent = this.unsent.filter((other) => other !== message);
  }

  see(event) {
    const me = this.people.get(this.me);
    if (me) me.seen = Math.max(me.seen, event);
  }

  /** Where another's message stands: `own` (in one's own tongue), `translated`, `pending`, `failed`, or `offered` where
   * a translation can be asked for. */
  standing({ original, translation, failure, expected, isAsked }) {
    if (sameTongue(original.language, this.language)) return "own";
    if (translation && translation.language === this.language) return "translated";
    if (failure && !failure.retrying && !isAsked) return "failed";
    return expected || isAsked ? "pending" : "offered";
  }

  /** How far one's own message came: `refused`, `sending`, `sent`, `delivered` or `seen`, and by whom it was seen. */
  progress({ id, event, refusal }) {
    if (refusal) return { state: "refused", by: [] };
    if (!id) return { state: "sending", by: [] };
    const by = this.others.filter(({ seen }) => seen >= event);
    if (by.length) return { state: "seen", by };
    return { state: this.others.some(({ delivered }) => delivered >= event) ? "delivered" : "sent", by };
  }

  takeMessage({ id, event, from, at, original, translation, client_id: clientId }, isLive) {
    const sent = clientId && this.unsent.find((message) => message.clientId === clientId);
    if (sent) this.forget(sent);
    if (this.messages.has(id)) return this.messages.get(id);
    const message = Object.assign(sent || { clientId }, { id, event, author: from, at, original, expected: isLive });
    delete message.refusal;
    if (translation) message.translation = { ...translation, language: this.language };
    this.messages.set(id, message);
    this.typing.delete(from);
    return message;
  }

  takeTranslation({ id, language, text, findings }) {
    const message = this.messages.get(id);
    if (message) Object.assign(message, { translation: { language, text, findings }, failure: undefined, isAsked: false });
    return message;
  }

  takeFailure({ id, error, retrying }) {
    const message = this.messages.get(id);
    if (message) Object.assign(message, { failure: { error, retrying }, expected: retrying, isAsked: false });
    return message;
  }

  takePresence({ participant }) {
    this.people.set(participant.id, participant);
    if (!participant.on) this.typing.delete(participant.id);
  }

  takeTyping({ from, on }) {
    if (on) this.typing.add(from);
    else this.typing.delete(from);
  }

  takeDelivered({ id, to }) {
    this.#reached("delivered", to, id);
  }

  takeSeen({ id, by }) {
    this.#reached("seen", by, id);
  }

  takeError({ error, client_id: clientId }) {
    const message = clientId && this.unsent.find((other) => other.clientId === clientId);
    if (message) message.refusal = error;
    return message;
  }

  #reached(how, who, id) {
    const person = this.people.get(who);
    const event = this.messages.get(id)?.event ?? 0;
    if (person) person[how] = Math.max(person[how], event);
  }
}

const TAKERS = {
  message: "takeMessage", translated: "takeTranslation", translation_failed: "takeFailure", presence: "takePresence",
  typing: "takeTyping", delivered: "takeDelivered", seen: "takeSeen", error: "takeError",
};
