// The page's own words. A phrase that was given to an element follows when the reader chooses another language.

import { fetchJson } from "./api.js";
import { keep, recall } from "./store.js";

export const OWN_LANGUAGES = {
  en: "English", de: "Deutsch", es: "Español", fr: "Français", zh: "中文", ja: "日本語", ar: "العربية",
};
const RIGHT_TO_LEFT = new Set(["ar"]);

/** Fires `spoken` when the page's language has changed, for what phrases alone do not cover. */
export const voice = new EventTarget();

const given = new WeakMap();
let words = {};
let spoken = "en";

/** The code of the language the page speaks now. */
export function pageLanguage() {
  return spoken;
}

/** The same with the reader's region where the browser names one: it decides how times and numbers are written. */
export function regionalLanguage() {
  return navigator.languages.find((code) => code.split("-")[0] === spoken) ?? spoken;
}

/** The reader's choice, else the first of the browser's languages that the page speaks, else English. */
export function preferredLanguage() {
  const wanted = [recall("language"), ...navigator.languages].map((code) => code?.split("-")[0]);
  return wanted.find((code) => code in OWN_LANGUAGES) ?? "en";
}

/** Speak a language of `OWN_LANGUAGES` from now on. */
export async function speak(code) {
  words = await fetchJson("GET", `/static/page/words/${code}.json`);
  spoken = code;
  document.documentElement.lang = code;
  document.documentElement.dir = RIGHT_TO_LEFT.has(code) ? "rtl" : "ltr";
  document.querySelectorAll("[data-phrase]").forEach(sayAgain);
  voice.dispatchEvent(new Event("spoken"));
}

/** Speak a language and remember that the reader chose it. */
export async function chooseLanguage(code) {
  keep("language", code);
  await speak(code);
}

/** A phrase with its `{holes}` filled; numbers are written as the language writes them. */
export function t(key, values = {}) {
  const pattern = words[key];
  if (pattern === undefined) throw new Error(`The page has no phrase ${key}.`);
  return pattern.replace(/\{(\w+)\}/g, (_, name) => written(values[name]));
}

/** Whether the page has a phrase of its own for this. */
export function knows(key) {
  return key in words;
}

/** A number as the reader writes it in the page's language. */
export function written(value) {
  return typeof value === "number" ? new Intl.NumberFormat(regionalLanguage()).format(value) : value;
}

/** Give an element a phrase: as its `text`, or as the attribute that `slot` names. An empty key takes it away. */
export function phrase(node, key, values = {}, slot = "text") {
  const slots = given.get(node) ?? new Map();
  slots.set(slot, [key, values]);
  given.set(node, slots);
  node.setAttribute("data-phrase", "");
  say(node, slot, key, values);
}

function sayAgain(node) {
  for (const [slot, [key, values]] of given.get(node)) say(node, slot, key, values);
}

function say(node, slot, key, values) {
  const said = key ? t(key, values) : "";
  if (slot === "text") node.textContent = said;
  else node.setAttribute(slot, said);
}
