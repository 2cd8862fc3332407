// What the frames of all pages share: the choice of their language and of their colours.

import { element, iconButton } from "./dom.js";
import { OWN_LANGUAGES, chooseLanguage, pageLanguage, phrase, t, voice } from "./i18n.js";
import { keep, recall } from "./store.js";

const SCHEMES = ["system", "light", "dark"];

/** A choice of the page's own language. */
export function languageSelect() {
  const options = Object.entries(OWN_LANGUAGES).map(([code, name]) =>
    element("option", { value: code, lang: code, textContent: name }));
  const select = element("select", { className: "quiet", words: { "aria-label": "app.language" } }, ...options);
  select.value = pageLanguage();
  select.addEventListener("change", () => chooseLanguage(select.value));
  return select;
}

/** A button that goes from the system's colours to light to dark ones. */
export function schemeButton() {
  const made = iconButton("scheme", "app.scheme", () => {
    const next = SCHEMES[(SCHEMES.indexOf(recall("scheme", "system")) + 1) % SCHEMES.length];
    keep("scheme", next);
    applyScheme();
    nameScheme(made);
  });
  nameScheme(made);
  voice.addEventListener("spoken", () => nameScheme(made));
  return made;
}

function nameScheme(node) {
  const scheme = t(`scheme.${recall("scheme", "system")}`);
  for (const slot of ["aria-label", "title"]) phrase(node, "app.scheme", { scheme }, slot);
}

/** Use the colours that the reader chose. */
export function applyScheme() {
  document.documentElement.dataset.scheme = recall("scheme", "system");
}
