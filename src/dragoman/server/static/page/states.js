// What the reader is told while a translation is not simply there: waiting, slow, stopped, failed, offline.

import { Problem } from "./api.js";
import { button, element } from "./dom.js";

export class States {
  constructor() {
    this.hint = element("p", { className: "empty", words: { text: "translate.target_empty" } });
    this.urgent = element("div", { role: "alert" });
    this.calm = element("div", { role: "status" }); // says what is over, not each step
    this.node = element("div", { className: "states" }, this.hint, this.urgent, this.calm);
  }

  clear() {
    this.hint.hidden = true;
    this.urgent.replaceChildren();
    this.calm.replaceChildren();
  }

  empty() {
    this.clear();
    this.hint.hidden = false;
  }

  /** For those who do not see that the translation is there. */
  ready() {
    this.clear();
    this.calm.append(element("p", { className: "visually-hidden", words: { text: "translate.ready" } }));
  }

  slow() {
    this.clear();
    this.calm.append(notice("slow", "translate.slow"));
  }

  stopped(again) {
    this.clear();
    this.calm.append(notice("stopped", "translate.stopped", button("translate.continue", again)));
  }

  /** What went wrong and what to do about it: `again` tries once more, `askForKey` lets the reader give a key. */
  failed(error, { again, askForKey }) {
    this.clear();
    const box = notice("failed", `problem.${error.kind ?? "server"}`, ...detailsOf(error), ...wayOn(error, again, askForKey));
    this.urgent.append(box);
  }
}

/** A short notice with a title, and below it what more is to say and what can be done. */
export function notice(className, key, ...more) {
  return element("div", { className: `notice ${className}` },
    element("p", { className: "title", words: { text: key } }), ...more);
}

/** The button that helps after a problem, if one can: to give a key, or to try again. */
export function wayOn(error, again, askForKey) {
  if (error.kind === "key") return [button("key.give", askForKey)];
  return error.isFinal ? [] : [button("translate.again", again)];
}

function detailsOf(error) {
  const lines = [];
  if (["unreachable", "offline", "cut"].includes(error.kind)) lines.push(element("p", { words: { text: "problem.kept" } }));
  if (error instanceof Problem) lines.push(element("p", { lang: "en", dir: "ltr", textContent: error.message }));
  return lines;
}
