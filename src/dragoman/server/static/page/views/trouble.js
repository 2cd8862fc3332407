// What went wrong in a view, and how it goes on.

import { ConnectionProblem, serverIsBack } from "../api.js";
import { element } from "../dom.js";
import { phrase } from "../i18n.js";
import { askForKey } from "../key.js";
import { notice, wayOn } from "../states.js";

export class Trouble {
  constructor() {
    this.node = element("div", { className: "trouble", role: "alert" });
  }

  clear() {
    this.waiting?.abort();
    this.node.replaceChildren();
  }

  /** Do `work()`. What goes wrong is shown with a way to do all of it again. */
  async attempt(work) {
    this.clear();
    try {
      await work();
    } catch (error) {
      this.tell(error, () => this.attempt(work));
    }
  }

  /** Show what went wrong. `again()` is called when the reader wants it, or by itself where the server was away. Throws
   * what is no problem but a bug. */
  tell(error, again) {
    if (error.name === "AbortError") return;
    if (!error.kind) throw error;
    this.clear();
    const isAway = error instanceof ConnectionProblem;
    const why = isAway ? [element("p", { words: { text: "trouble.back" } })] : told(error);
    const acts = wayOn(error, again, () => askForKey(again));
    this.node.replaceChildren(notice("failed", `problem.${error.kind}`, ...why, ...acts));
    if (isAway) this.#goOnWhenBack(again);
  }

  async #goOnWhenBack(again) {
    this.waiting = new AbortController();
    const { signal } = this.waiting;
    await serverIsBack(signal);
    if (!signal.aborted) again();
  }
}

/** What the server says of a problem, in its own words. */
export function told({ message, retryAfterS }) {
  const lines = message ? [element("p", { lang: "en", dir: "ltr", textContent: message })] : [];
  if (retryAfterS === undefined) return lines;
  const wait = element("p");
  phrase(wait, "problem.wait", { seconds: retryAfterS });
  return [...lines, wait];
}
