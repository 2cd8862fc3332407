// What was translated, kept in this browser only.

import { dialog } from "./dialogs.js";
import { button, element } from "./dom.js";
import { phrase, regionalLanguage } from "./i18n.js";
import { directionOf, nameOf } from "./languages.js";
import { keep, recall } from "./store.js";

const MOST_ENTRIES = 50;
const MOST_CHARACTERS = 400_000;

/** Whether the reader lets this browser keep a history. */
export function keepsHistory() {
  return recall("history.kept", true);
}

/** Keep a translation; it takes the place of the one that it continues, as texts grow while they are typed. */
export function record(entry) {
  if (!keepsHistory()) return;
  const [latest, ...older] = recall("history", []);
  const continues = latest && (entry.text.startsWith(latest.text) || latest.text.startsWith(entry.text))
    && latest.target === entry.target;
  const entries = [{ ...entry, at: Date.now() }, ...(latest && !continues ? [latest] : []), ...older];
  keep("history", fitting(entries));
}

/** The newest entries that stay under the bounds. */
function fitting(entries) {
  let characters = 0;
  return entries.slice(0, MOST_ENTRIES).filter(({ text, translation }) => {
    characters += text.length + translation.length;
    return characters <= MOST_CHARACTERS;
  });
}

export class History {
  /** `reopened(entry)` is called for the one that the reader wants back. */
  constructor(reopened) {
    this.reopened = reopened;
    this.list = element("ol", { className: "entries" });
    this.none = element("p", { className: "empty", words: { text: "history.empty" } });
    this.all = button("history.delete_all", () => this.#write([]), { className: "quiet" });
    this.node = dialog("history.title", "side", this.#switch(), this.none, this.list, this.all);
  }

  open() {
    this.#draw();
    this.node.showModal();
  }

  #switch() {
    const box = element("input", { type: "checkbox", checked: keepsHistory() });
    box.addEventListener("change", () => keep("history.kept", box.checked));
    return element("label", { className: "check" }, box, element("span", { words: { text: "history.keep" } }));
  }

  #draw() {
    const entries = recall("history", []);
    this.list.replaceChildren(...entries.map((entry) => this.#entry(entry)));
    this.none.hidden = entries.length > 0;
    this.all.hidden = entries.length === 0;
  }

  #entry(entry) {
    const { at, text, source, target, translation } = entry;
    const when = new Date(at).toLocaleString(regionalLanguage(), { dateStyle: "medium", timeStyle: "short" });
    const open = element("button", {
      type: "button", className: "entry", on: { click: () => { this.node.close(); this.reopened(entry); } },
    },
    element("span", { className: "caption", textContent: `${nameOf(source)} – ${nameOf(target)}, ${when}` }),
    element("span", { className: "line", lang: source, dir: directionOf(source), textContent: beginning(text) }),
    element("span", { className: "line faint", lang: target, dir: directionOf(target), textContent: beginning(translation) }));
    return element("li", {}, open, this.#deleteButton(entry));
  }

  #deleteButton(entry) {
    const made = button("history.delete", () => this.#delete(entry), { className: "quiet" });
    phrase(made, "history.delete_named", { text: beginning(entry.text).slice(0, 40) }, "aria-label");
    return made;
  }

  #delete({ at }) {
    this.#write(recall("history", []).filter((entry) => entry.at !== at));
    (this.list.querySelector("button") ?? this.node.querySelector("button")).focus();
  }

  #write(entries) {
    keep("history", entries);
    this.#draw();
  }
}

function beginning(text) {
  return text.slice(0, 200).replace(/\s+/g, " ").trim();
}
