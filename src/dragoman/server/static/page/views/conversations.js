// The desk: the conversations that one opened, in a list with what is new in each, one at a time or side by side.

import { Conversation } from "../talk/conversation.js";
import { Introduction } from "../talk/introduction.js";
import { Room } from "../talk/room.js";
import { forgetOthers, keepOwnToken, ownTokens } from "../talk/seats.js";
import { askForNew, invite } from "../talk/opening.js";
import { Row } from "../talk/row.js";
import { fetchJson, request } from "../api.js";
import { button, element } from "../dom.js";
import { preferredLanguage, voice } from "../i18n.js";
import { remember, route } from "../route.js";
import { keep, recall } from "../store.js";
import { confirmed } from "./confirm.js";
import { Trouble } from "./trouble.js";

const PATH = "/v1/conversations";
const LOOK_EVERY_MS = 15_000;
const MOST_LIVE = 50; // lines that are kept open for what is new; a browser has room for some 200

export function mount(section) {
  return new ConversationsView(section);
}

class ConversationsView {
  constructor(section) {
    this.section = section;
    this.rows = new Map();
    this.trouble = new Trouble();
    this.me = recall("desk.me");
    this.#build();
    this.#showBeside(recall("desk.beside", false));
    voice.addEventListener("spoken", () => this.#showRows());
    document.addEventListener("visibilitychange", () => this.#look());
    setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#start();
  }

  /** What the keyboard does here. */
  get shortcuts() {
    return [
      { keys: ["n"], does: "talk.start", run: () => this.#askForNew() },
      { keys: ["Enter"], does: "talk.send" },
      { keys: ["Shift", "Enter"], does: "shortcuts.line" },
    ];
  }

  #build() {
    this.list = element("ul", { className: "rooms", words: { "aria-label": "view.conversations" } });
    this.beside = button("talk.beside", () => this.#showBeside(!this.isBeside), { className: "quiet beside" });
    this.startButton = button("talk.start", () => this.#askForNew(), { className: "primary" });
    this.tables = element("div", { className: "tables" });
    this.hint = element("p", { className: "empty", words: { text: "talk.choose" } });
    this.none = element("div", { className: "none", hidden: true },
      element("p", { className: "empty", words: { text: "talk.none" } }),
      button("talk.start", () => this.#askForNew(), { className: "primary" }));
    const side = element("div", { className: "side-list" },
      element("div", { className: "side-head" }, this.startButton, this.beside), this.trouble.node, this.list);
    this.desk = element("div", { className: "desk" }, side, this.none, this.hint, this.tables);
    this.section.append(element("h1", { className: "visually-hidden", words: { text: "view.conversations" } }), this.desk);
  }

  async #start() {
    await this.trouble.attempt(() => this.#load());
    const { parameters } = route();
    if (this.rows.has(parameters.get("room"))) this.#choose(parameters.get("room"));
  }

  /** Look again at what there is, as long as somebody sees it. */
  #look() {
    if (this.section.hidden || document.visibilityState !== "visible" || this.trouble.node.hasChildNodes()) return;
    this.trouble.attempt(() => this.#load());
  }

  async #load() {
    const { conversations } = await fetchJson("GET", PATH);
    for (const shown of conversations) this.#know(shown);
    const ids = conversations.map(({ id }) => id);
    for (const id of this.rows.keys()) if (!ids.includes(id) && id !== this.chosen) this.#drop(id);
    forgetOthers(ids);
    this.#goOn(ids);
    this.#showRows();
  }

  /** Come back to the conversations that one takes part in. */
  #goOn(ids) {
    const tokens = ownTokens();
    const mine = ids.filter((id) => id in tokens && !this.rows.get(id).conversation);
    if (this.me) for (const id of mine.slice(0, MOST_LIVE)) this.#enter(id);
  }

  #know(shown) {
    const known = this.rows.get(shown.id);
    if (known) known.know(shown);
    else this.rows.set(shown.id, new Row(shown, () => this.#choose(shown.id)));
  }

  #drop(id) {
    const { conversation, room } = this.rows.get(id);
    conversation?.close();
    room?.node.remove();
    this.rows.delete(id);
    if (this.chosen === id) this.#choose(undefined);
    this.#showRows();
  }

  #enter(id) {
    const row = this.rows.get(id);
    const conversation = new Conversation({
      room: id, token: ownTokens()[id], ...this.me, took: (token) => keepOwnToken(id, token),
    });
    row.join(conversation, new Room(conversation,
      button("talk.invite", () => invite(id), { className: "quiet" }),
      button("talk.end", () => this.#end(id), { className: "quiet" }),
      button("talk.back", () => this.#choose(undefined), { className: "quiet back" })));
    row.room.node.hidden = true;
    this.tables.append(row.room.node);
    conversation.open();
    this.#showTables();
  }

  #choose(id) {
    this.chosen = id;
    remember("conversations", id ? { room: id } : {});
    if (id && !this.rows.get(id).conversation && this.me) this.#enter(id);
    this.#introduce(id);
    this.#showRows();
    this.#showTables();
    const room = this.rows.get(id)?.room;
    room?.node.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (room && matchMedia("(hover: hover)").matches) room.focus(); // elsewhere a keyboard would cover it
  }

  /** Ask who one is, before the first conversation that somebody else's program opened. */
  #introduce(id) {
    this.introduction?.node.remove();
    this.introduction = undefined;
    if (!id || this.me) return;
    this.introduction = new Introduction({
      language: preferredLanguage(), act: "talk.join", given: (me) => { this.#keepMe(me); this.#choose(id); },
    });
    this.tables.append(this.introduction.node);
    this.introduction.focus();
  }

  #keepMe(me) {
    this.me = me;
    keep("desk.me", me);
  }

  #askForNew() {
    askForNew(this.me ?? { name: "", language: preferredLanguage() }, (shown, me) => {
      this.#keepMe(me);
      this.#know(shown);
      this.#choose(shown.id);
      invite(shown.id);
    });
  }

  async #end(id) {
    if (!(await confirmed("talk.end", "talk.end_why"))) return;
    await this.trouble.attempt(async () => {
      await request("DELETE", `${PATH}/${encodeURIComponent(id)}`);
      this.#drop(id);
    });
  }

  #showBeside(isBeside) {
    this.isBeside = isBeside;
    keep("desk.beside", isBeside);
    this.beside.setAttribute("aria-pressed", String(isBeside));
    this.desk.classList.toggle("is-beside", isBeside);
    this.#showTables();
  }

  #showRows() {
    const rows = [...this.rows.values()].sort((one, other) => other.movedAt - one.movedAt);
    for (const row of rows) row.show(row.id === this.chosen);
    const nodes = rows.map(({ node }) => node);
    if (nodes.some((node, place) => node !== this.list.children[place]) || nodes.length !== this.list.children.length) {
      this.list.replaceChildren(...nodes);
    }
    this.none.hidden = rows.length > 0 || this.trouble.node.hasChildNodes();
    this.#showTables();
  }

  #showTables() {
    const joined = [...this.rows.values()].filter(({ room }) => room);
    for (const { id, room } of joined) {
      room.node.hidden = !this.isBeside && id !== this.chosen;
      room.node.classList.toggle("chosen", id === this.chosen); // where the window is narrow it alone is shown
    }
    const isOpen = this.chosen !== undefined || (this.isBeside && joined.length > 0);
    this.hint.hidden = isOpen || this.rows.size === 0;
    this.tables.hidden = !isOpen;
    this.desk.classList.toggle("is-open", this.chosen !== undefined);
    this.desk.classList.toggle("is-empty", this.rows.size === 0);
  }
}
