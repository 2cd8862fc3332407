// One conversation in the list: who is in it, what was said last, and how much of it is new.

import { element } from "../dom.js";
import { phrase, regionalLanguage, t } from "../i18n.js";

export class Row {
  /** `shown` is what the server says of it; `chosen()` is called when the reader opens it. */
  constructor(shown, chosen) {
    this.title = element("span", { className: "row-title" });
    this.when = element("span", { className: "caption" });
    this.said = element("span", { className: "line faint" });
    this.unread = element("span", { className: "unread" });
    this.button = element("button", { type: "button", className: "row", on: { click: chosen } },
      this.title, this.when, this.said, this.unread);
    this.node = element("li", {}, this.button);
    this.know(shown);
  }

  get id() {
    return this.shown.id;
  }

  /** When something happened here last. */
  get movedAt() {
    return Date.parse(this.conversation?.transcript.last?.at ?? this.shown.created_at);
  }

  know(shown) {
    this.shown = shown;
  }

  /** From now on its messages are known as they come. */
  join(conversation, room) {
    Object.assign(this, { conversation, room });
    for (const event of ["message", "people", "reset"]) conversation.addEventListener(event, () => this.#showNews());
  }

  show(isChosen) {
    this.button.setAttribute("aria-current", String(isChosen));
    this.title.textContent = this.shown.title || t("talk.untitled");
    this.#showNews();
  }

  #showNews() {
    const transcript = this.conversation?.transcript;
    const last = transcript?.last;
    this.when.textContent = briefly(this.movedAt);
    if (last) this.#quote(transcript, last);
    else phrase(this.said, "talk.count", { people: this.shown.participants.length, messages: this.shown.messages });
    const count = transcript?.unseen.length ?? 0;
    this.unread.hidden = !count;
    phrase(this.unread, "talk.unread", { count }, "aria-label");
    this.unread.role = "img"; // a number alone says nothing
    this.unread.textContent = count;
    this.button.classList.toggle("has-news", count > 0);
  }

  #quote(transcript, { author, original, translation }) {
    phrase(this.said, "");
    const name = author === transcript.me ? t("talk.you") : transcript.people.get(author)?.name || author;
    const text = (author !== transcript.me && translation?.text) || original.text;
    this.said.replaceChildren(element("bdi", { textContent: name }), ": ", element("bdi", { textContent: text.slice(0, 120) }));
  }
}

/** The time of today, else the day. */
function briefly(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday
    ? date.toLocaleTimeString(regionalLanguage(), { timeStyle: "short" })
    : date.toLocaleDateString(regionalLanguage(), { day: "numeric", month: "short" });
}
