// Making elements. Everything the page shows is set as text, never as markup.

import { phrase } from "./i18n.js";

/**
 * An element. Of `properties`, `words` are phrases of the page by slot (`{ text: "translate.copy" }`), `on` are
 * listeners by event, names with a hyphen, `role` and `for` are attributes, and all others are properties.
 */
export function element(name, { words = {}, on = {}, ...properties } = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
  for (const [slot, key] of Object.entries(words)) phrase(made, key, {}, slot);
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  made.append(...children);
  return made;
}

/** A button that says a phrase of the page. */
export function button(key, pressed, properties = {}) {
  return element("button", { type: "button", words: { text: key }, on: { click: pressed }, ...properties });
}

/** A button that shows a picture of `icons/`, named by a phrase. */
export function iconButton(icon, key, pressed) {
  return element("button", {
    type: "button", className: `icon icon-${icon}`, words: { "aria-label": key, title: key }, on: { click: pressed },
  });
}

let made = 0;

/** An id that no other element has. */
export function freshId(stem) {
  made += 1;
  return `${stem}-${made}`;
}
