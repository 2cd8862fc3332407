// The frame around the views: what is shown is what the address names.

import { ConnectionProblem, serverIsBack } from "./api.js";
import { element, iconButton } from "./dom.js";
import { applyScheme, languageSelect, schemeButton } from "./frame.js";
import { preferredLanguage, speak, t, voice } from "./i18n.js";
import { askForKey } from "./key.js";
import { loadLanguages } from "./languages.js";
import { route } from "./route.js";
import { Shortcuts } from "./shortcuts.js";

/** The views by the name that the address gives them, each loaded when it is first wanted: its module exports
 * `mount(section)`, which returns the view with its `shortcuts`. It is called what the phrase `view.NAME` says. */
const VIEWS = {
  translate: () => import("./views/translate.js"),
  documents: () => import("./views/documents.js"),
  jobs: () => import("./views/jobs.js"),
  glossaries: () => import("./views/glossaries.js"),
  conversations: () => import("./views/conversations.js"),
};

class App {
  constructor() {
    this.sections = {};
    this.shortcuts = new Shortcuts();
    const links = Object.keys(VIEWS).map(linkTo);
    this.nav = element("nav", { words: { "aria-label": "app.views" } }, ...links);
    this.main = element("main", { id: "main" });
    document.body.replaceChildren(skipLink(), this.#header(), this.main, footer(), this.shortcuts.node);
    window.addEventListener("hashchange", () => this.#show());
    voice.addEventListener("spoken", () => this.#name());
    this.#show();
  }

  #header() {
    const help = iconButton("keyboard", "app.shortcuts", () => this.shortcuts.open());
    return element("header", { className: "top" },
      element("a", { className: "brand", href: "#translate" }, element("span", { className: "mark" }), "Dragoman"),
      this.nav,
      element("div", { className: "tools" }, languageSelect(), schemeButton(), keyButton(), help));
  }

  async #show() {
    const { view } = route();
    this.shown = view in VIEWS ? view : "translate";
    this.#name();
    for (const link of this.nav.children) this.#point(link);
    this.sections[this.shown] ??= this.#mount(this.shown);
    await this.sections[this.shown];
    for (const section of this.main.children) section.hidden = section.id !== `view-${this.shown}`;
  }

  #point(link) {
    link.setAttribute("aria-current", link.hash === `#${this.shown}` ? "page" : "false");
  }

  async #mount(name) {
    const { mount } = await VIEWS[name]();
    const section = element("section", { id: `view-${name}` });
    this.main.append(section);
    this.shortcuts.learn(mount(section).shortcuts, section);
  }

  #name() {
    document.title = `${t(`view.${this.shown}`)} · Dragoman`;
  }
}

function linkTo(name) {
  return element("a", { href: `#${name}`, words: { text: `view.${name}` } });
}

function skipLink() {
  return element("a", { className: "skip", href: "#main", words: { text: "app.skip" }, on: { click: focusText } });
}

/** The address names views, so the link cannot lead to an element. */
function focusText(event) {
  event.preventDefault();
  document.querySelector("main > :not([hidden]) :is(textarea, input, button)").focus();
}

function footer() {
  return element("footer", {},
    element("p", { words: { text: "app.privacy" } }),
    element("a", { href: "/docs", words: { text: "app.api" } }),
    element("a", { href: "/status", words: { text: "status.title" } }));
}

function keyButton() {
  return iconButton("key", "app.key", () => askForKey(() => location.reload()));
}

/** What the page cannot do without; it waits for a server that is just being started again. */
async function prepare() {
  try {
    await Promise.all([loadLanguages(), speak(preferredLanguage())]);
  } catch (error) {
    if (!(error instanceof ConnectionProblem)) throw error;
    await serverIsBack();
    await prepare();
  }
}

applyScheme();
await prepare();
new App();
