// The guest's page, `/chat#TOKEN`: a name, a language, and then nothing but the conversation.

import { Conversation } from "./talk/conversation.js";
import { Introduction } from "./talk/introduction.js";
import { Room } from "./talk/room.js";
import { seatOf } from "./talk/seats.js";
import { button, element } from "./dom.js";
import { applyScheme, languageSelect, schemeButton } from "./frame.js";
import { OWN_LANGUAGES, preferredLanguage, speak, t, voice } from "./i18n.js";
import { loadLanguages } from "./languages.js";
import { notice } from "./states.js";
import { recall } from "./store.js";
import { confirmed } from "./views/confirm.js";

/** What the link says: `#TOKEN?name=…&language=…`, where the conversation's id is the token's first part. */
function invitation() {
  const [token, query = ""] = location.hash.slice(1).split("?");
  const parameters = new URLSearchParams(query);
  const [room, secret] = token.split(".");
  return { room, token: secret ? token : undefined, name: parameters.get("name") ?? "", language: parameters.get("language") ?? "" };
}

class Guest {
  constructor(link) {
    this.link = link;
    this.main = element("main", { id: "main" });
    document.body.className = "guest";
    document.body.replaceChildren(header(), element("h1", { className: "visually-hidden", words: { text: "view.conversations" } }), this.main);
    window.addEventListener("hashchange", () => location.reload()); // another link is another conversation
    voice.addEventListener("spoken", () => this.#name());
    this.#show();
  }

  #show() {
    const seat = this.link.token && seatOf(this.link.token);
    if (!this.link.token) this.main.append(notice("failed", "talk.no_link"));
    else if (seat) this.#join(seat);
    else this.#ask();
    this.#name();
  }

  #ask() {
    const { name, language } = this.link;
    const form = new Introduction({
      name, language: language || preferredLanguage(), act: "talk.join", given: (seat) => this.#join(seat),
    });
    this.main.append(element("div", { className: "welcome" },
      element("h2", { words: { text: "talk.welcome" } }), element("p", { className: "faint", words: { text: "talk.welcome_why" } }), form.node));
    form.focus();
  }

  #join({ name, language }) {
    const { room, token } = this.link;
    this.conversation = new Conversation({ room, token, name, language });
    for (const event of ["message", "people", "reset", "state"]) this.conversation.addEventListener(event, () => this.#name());
    this.room = new Room(this.conversation, button("talk.leave", () => this.#leave(), { className: "quiet" }));
    this.main.replaceChildren(this.room.node);
    this.conversation.open();
    this.room.focus();
  }

  async #leave() {
    if (await confirmed("talk.leave", "talk.leave_why")) this.conversation.leave();
  }

  /** The window's title says how much is new. */
  #name() {
    const { title, unseen } = this.conversation?.transcript ?? { title: "", unseen: [] };
    const count = unseen.length ? `(${unseen.length}) ` : "";
    document.title = `${count}${title || t("talk.invitation")} · Dragoman`;
  }
}

function header() {
  return element("header", { className: "top" },
    element("p", { className: "brand" }, element("span", { className: "mark" }), "Dragoman"),
    element("div", { className: "tools" }, languageSelect(), schemeButton()));
}

/** Who chose no language for the page sees it in that of the invitation. */
function guestLanguage({ language }) {
  const [invited] = language.split("-");
  return recall("language") === undefined && invited in OWN_LANGUAGES ? invited : preferredLanguage();
}

applyScheme();
const link = invitation();
await Promise.all([loadLanguages(), speak(guestLanguage(link))]);
new Guest(link);
