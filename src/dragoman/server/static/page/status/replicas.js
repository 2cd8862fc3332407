// The replicas, each with a button that takes it out of work or gives it work again.

import { dialog } from "../dialogs.js";
import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";
import { figure } from "./figures.js";
import { ask } from "./source.js";

/** A shape for each state, so that none is told by its colour alone. */
const SHAPES = { ready: "●", unreachable: "✕", resting: "◌", draining: "◐", drained: "○" };

export class Replicas {
  /** `changed()` is called when a replica was drained or put to work again. */
  constructor(changed) {
    this.changed = changed;
    this.rows = new Map();
    this.problem = element("div", { role: "alert" });
    this.list = element("ul", { className: "replicas" });
    this.node = element("section", {}, element("h2", { words: { text: "status.replicas" } }), this.problem, this.list);
  }

  show({ replicas, process }) {
    for (const [name, row] of this.rows) {
      if (!replicas.some((replica) => replica.name === name)) {
        row.node.remove();
        this.rows.delete(name);
      }
    }
    for (const replica of replicas) {
      const isLast = !replicas.some(({ name, state }) => name !== replica.name && state === "ready");
      this.#row(replica.name).show(replica, { isLast, mayDrain: process.processes === 1 });
    }
  }

  #row(name) {
    if (!this.rows.has(name)) {
      const row = new Row((replica, isLast) => this.#pressed(replica, isLast));
      this.rows.set(name, row);
      this.list.append(row.node);
    }
    return this.rows.get(name);
  }

  #pressed(replica, isLast) {
    if (isOut(replica)) this.#send("DELETE", replica);
    else confirmDrain(replica, isLast, () => this.#send("POST", replica));
  }

  async #send(method, { name }) {
    this.problem.replaceChildren();
    try {
      await ask(method, `/v1/replicas/${encodeURIComponent(name)}/drain`);
    } catch (error) {
      this.problem.append(element("p", { className: "bad", words: { text: `problem.${error.kind}` } }),
        element("p", { lang: "en", dir: "ltr", textContent: error.message }));
    }
    this.changed();
  }
}

class Row {
  constructor(pressed) {
    this.name = element("h3", { dir: "ltr" });
    this.state = element("p", { className: "state" });
    this.reason = element("p", { className: "caption", lang: "en", dir: "ltr" });
    this.use = element("p");
    this.meter = element("progress");
    this.tokens = element("p", { className: "caption" });
    this.action = button("status.drain", () => pressed(this.replica, this.isLast));
    this.node = element("li", {},
      element("div", { className: "who" }, this.name, this.state, this.reason),
      element("div", { className: "use" }, this.use, this.meter, this.tokens), this.action);
  }

  show(replica, { isLast, mayDrain }) {
    Object.assign(this, { replica, isLast });
    const { name, state, flying, limit, tokens } = replica;
    this.name.textContent = name;
    this.state.dataset.state = state;
    this.state.replaceChildren(element("span", { "aria-hidden": "true", textContent: SHAPES[state] }),
      element("span", { words: { text: `status.state_${state}` } }));
    this.reason.textContent = replica.reason;
    phrase(this.use, "status.in_use", { value: figure(flying), most: figure(limit) });
    this.meter.max = Math.max(1, limit);
    this.meter.value = Math.min(flying, limit);
    this.meter.setAttribute("aria-label", name);
    phrase(this.tokens, "status.tokens", {
      calls: replica.calls, read: tokens.prompt, cached: tokens.cached, written: tokens.output,
    });
    const key = isOut(replica) ? "status.resume" : "status.drain";
    phrase(this.action, key);
    phrase(this.action, `${key}_named`, { name }, "aria-label");
    this.action.hidden = !mayDrain;
  }
}

function isOut({ state }) {
  return state === "draining" || state === "drained";
}

function confirmDrain({ name, flying }, isLast, confirmed) {
  const what = element("p");
  phrase(what, "status.drain_what", { flying });
  const box = dialog("status.drain_title", "middle",
    element("p", { dir: "ltr" }, element("code", { textContent: name })), what,
    ...(isLast ? [element("p", { className: "bad", words: { text: "status.drain_last" } })] : []),
    element("div", { className: "actions" },
      button("status.drain", () => { box.close(); confirmed(); }, { className: "primary" }),
      button("status.cancel", () => box.close(), { autofocus: true })));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}
