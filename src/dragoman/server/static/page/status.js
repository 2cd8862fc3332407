// The operator's page: how the server does now, and how it did in the last hour.

import { Problem } from "./api.js";
import { button, element } from "./dom.js";
import { applyScheme, languageSelect, schemeButton } from "./frame.js";
import { phrase, preferredLanguage, speak, t, voice } from "./i18n.js";
import { clock, lasted } from "./status/figures.js";
import { Figures, Plots } from "./status/plots.js";
import { Replicas } from "./status/replicas.js";
import { Source, keepOperatorKey, operatorKey } from "./status/source.js";
import { Tables } from "./status/tables.js";

const STALE_AFTER_S = 15;

class StatusPage {
  constructor() {
    this.source = new Source((status) => this.#told(status), (error) => this.#failed(error));
    this.headline = element("h1", { words: { text: "status.asking" } });
    this.about = element("p", { className: "about" });
    this.notes = element("div", { className: "notes" });
    this.urgent = element("div", { role: "alert" });
    this.parts = [new Figures(), new Plots(), new Replicas(() => this.source.look()), new Tables()];
    this.body = element("div", { className: "status", hidden: true }, ...this.parts.map(({ node }) => node));
    this.forget = button("key.forget", () => this.#useKey(""), { className: "quiet", hidden: true });
    document.body.replaceChildren(this.#header(), element("main", { id: "main" },
      element("div", { className: "condition" }, this.headline, this.about), this.notes, this.urgent, this.body));
    voice.addEventListener("spoken", () => this.#spoken());
    setInterval(() => this.#age(), 1000);
    this.#spoken();
    this.source.look();
  }

  #header() {
    return element("header", { className: "top" },
      element("a", { className: "brand", href: "/" }, element("span", { className: "mark" }), "Dragoman"),
      element("p", { className: "faint", words: { text: "status.title" } }),
      element("div", { className: "tools" }, this.forget, languageSelect(), schemeButton()));
  }

  #told(status) {
    this.status = status;
    this.answeredAt = Date.now() / 1000;
    this.urgent.replaceChildren();
    this.error = undefined;
    this.forget.hidden = !operatorKey();
    this.#draw();
  }

  #draw() {
    this.body.hidden = false;
    this.#head(this.status);
    for (const part of this.parts) part.show(this.status);
    this.#age();
  }

  #head({ at, engine, process, readiness, replicas }) {
    const ready = replicas.filter(({ state }) => state === "ready").length;
    const isWhole = readiness.ready && ready === replicas.length;
    this.headline.dataset.state = isWhole ? "ready" : readiness.ready ? "partly" : "down";
    if (isWhole) phrase(this.headline, "status.ready");
    else if (readiness.ready) phrase(this.headline, "status.partly", { ready, total: replicas.length });
    else phrase(this.headline, "status.down");
    phrase(this.about, "status.about", {
      model: engine.model, engine: engine.name, time: lasted(at - process.started_at), at: clock(at),
    });
    const notes = [];
    if (process.processes > 1) notes.push(note("status.one_process", { pid: String(process.pid), count: process.processes }));
    if (process.pressure) notes.push(note(`status.pressure_${process.pressure}`));
    this.notes.replaceChildren(...notes);
  }

  #failed(error) {
    const isLocked = error.kind === "key" || error.kind === "forbidden";
    if (isLocked) this.#lock();
    if (this.error?.kind === error.kind) return; // what the operator is typing stays
    this.error = error;
    this.urgent.replaceChildren(isLocked ? this.#keyForm(error) : this.#notice(error));
    if (!isLocked && !this.status) phrase(this.headline, "status.unknown");
    this.#age();
  }

  /** Show nothing to somebody without a key. */
  #lock() {
    this.status = undefined;
    this.body.hidden = true;
    this.notes.replaceChildren();
    delete this.headline.dataset.state;
    phrase(this.headline, "status.for_operators");
    phrase(this.about, "");
  }

  #notice(error) {
    const box = element("div", { className: "notice failed" },
      element("p", { className: "title", words: { text: `problem.${error.kind}` } }),
      ...(error instanceof Problem ? [english(error.message)] : []),
      this.#since());
    box.append(button("translate.again", () => this.source.look()));
    return box;
  }

  #since() {
    const line = element("p");
    if (this.status) phrase(line, "status.stale", { time: clock(this.status.at) });
    else phrase(line, "status.tries_again");
    return line;
  }

  #keyForm(error) {
    const field = element("input", { type: "password", id: "operator-key", autocomplete: "off", required: true });
    const send = (event) => { event.preventDefault(); this.#useKey(field.value.trim()); };
    const wasWrong = operatorKey() ? [element("p", { className: "title", words: { text: `problem.${error.kind}` } })] : [];
    return element("form", { className: "notice", on: { submit: send } }, ...wasWrong,
      element("p", { words: { text: "status.key_why" } }),
      element("label", { for: "operator-key", words: { text: "app.key" } }), field,
      element("p", { className: "caption", words: { text: "status.key_kept" } }),
      element("button", { type: "submit", className: "primary", words: { text: "key.save" } }));
  }

  #useKey(key) {
    keepOperatorKey(key);
    this.error = undefined;
    this.forget.hidden = !key;
    this.source.look();
  }

  /** Mark figures that are no longer of this moment. */
  #age() {
    const isStale = this.status !== undefined && Date.now() / 1000 - this.answeredAt > STALE_AFTER_S;
    this.body.classList.toggle("stale", isStale || this.error !== undefined);
  }

  #spoken() {
    document.title = `${t("status.title")} · Dragoman`;
    if (this.status) this.#draw();
  }
}

function note(key, values = {}) {
  const line = element("p", { className: "note" });
  phrase(line, key, values);
  return line;
}

function english(words) {
  return element("p", { lang: "en", dir: "ltr", textContent: words });
}

applyScheme();
await speak(preferredLanguage());
new StatusPage();
