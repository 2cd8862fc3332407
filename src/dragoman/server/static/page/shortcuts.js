// What the keyboard does, in one table that is also what the reader is shown.

import { dialog } from "./dialogs.js";
import { element } from "./dom.js";

const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

/** Keys as they are written on this machine's keyboard. */
function written(keys) {
  const names = APPLE ? { Ctrl: "⌘", Shift: "⇧", Enter: "↩" } : {};
  return keys.map((key) => element("kbd", { textContent: names[key] ?? key }));
}

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

function matches(event, keys) {
  const last = keys.at(-1);
  const ctrl = keys.includes("Ctrl");
  const typed = event.key.toLowerCase() === last.toLowerCase() || (last === "Esc" && event.key === "Escape");
  if (!typed || event.altKey || ctrl !== (event.ctrlKey || event.metaKey)) return false;
  return last.length === 1 && !ctrl ? !isTyping(event.target) : event.shiftKey === keys.includes("Shift");
}

export class Shortcuts {
  constructor() {
    this.table = [{ keys: ["Ctrl", "/"], does: "shortcuts.help", run: () => this.open(), here: () => true }];
    this.list = element("dl", { className: "keys" });
    this.node = dialog("app.shortcuts", "middle", this.list);
    document.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Each of `table` is `{ keys, does, run }`, or without `run` what another part sees to; it holds in `section`. */
  learn(table, section) {
    this.table.unshift(...table.map((shortcut) => ({ ...shortcut, here: () => !section.hidden })));
  }

  open() {
    this.list.replaceChildren(...this.table.filter(({ here }) => here()).flatMap(rowOf));
    this.node.showModal();
  }

  #press(event) {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const shortcut = this.table.find(({ keys, run, here }) => run && here() && matches(event, keys));
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run();
  }
}

function rowOf({ keys, does }) {
  return [element("dt", {}, ...written(keys)), element("dd", { words: { text: does } })];
}
