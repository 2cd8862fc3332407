// The languages: their names in the reader's own language, their direction, and how they are searched.

import { fetchJson } from "./api.js";
import { pageLanguage, t } from "./i18n.js";
import { keep, recall } from "./store.js";

export const DETECT = "auto";
const MOST_RECENT = 3;
const MOST_FOUND = 60;

const known = new Map();
let measured = [];

/** Ask the server for its languages, once. */
export async function loadLanguages() {
  const { languages } = await fetchJson("GET", "/v1/languages");
  for (const language of languages) known.set(language.code, { ...language, searched: searchedWords(language) });
  // English is what the others were measured against, and so it is not among them.
  measured = ["en", ...languages.filter(({ evaluated }) => evaluated).map(({ code }) => code)];
}

export function isLanguage(code) {
  return known.has(code);
}

export function countLanguages() {
  return known.size;
}

/** What the reader calls a language: "German", and "French (Canada)" where there are several of them to choose from.
 * No language has no name. */
export function nameOf(code) {
  if (!code) return "";
  if (code === DETECT) return t("translate.detect");
  return readersName(shortened(code)) ?? known.get(shortened(code))?.display_name ?? code;
}

/** What its own speakers call it. */
export function nativeNameOf(code) {
  return known.get(shortened(code))?.native_name ?? "";
}

/** `ltr` or `rtl`, and `auto` where no language is known yet. */
export function directionOf(code) {
  return known.get(code)?.direction ?? "auto";
}

/** The languages to offer before anything is searched, in the order of their names. */
export function offered() {
  return [...measured].sort((one, other) => nameOf(one).localeCompare(nameOf(other), pageLanguage()));
}

/** All others, in the same order. */
export function others() {
  const codes = [...known.keys()].filter((code) => !measured.includes(code));
  return codes.sort((one, other) => nameOf(one).localeCompare(nameOf(other), pageLanguage()));
}

/** Whether who reads one language needs no translation from the other: they differ in region at most. */
export function sameTongue(one, other) {
  const [first, second] = [one, other].map((code) => [code?.split("-")[0], known.get(code)?.script].join());
  return first === second;
}

/** The languages that a query means, best first: by code, by the beginning of a name or of a word in it, by a part. */
export function found(query) {
  const wanted = plain(query);
  const ranked = [...known.values()].map((language) => [rank(language, wanted), language]);
  return ranked
    .filter(([place]) => place < Infinity)
    .sort(([one, first], [other, second]) => one - other || first.code.length - second.code.length)
    .map(([, { code }]) => code)
    .filter(firstOfItsName())
    .slice(0, MOST_FOUND);
}

/** `no` and `no-NO` are both Norwegian to the reader: one of them is enough. */
function firstOfItsName() {
  const seen = new Set();
  return (code) => !seen.has(nameOf(code)) && seen.add(nameOf(code));
}

/** The languages chosen last. */
export function recent() {
  return recall("recent", []).filter(isLanguage);
}

export function rememberChosen(code) {
  if (code === DETECT) return;
  keep("recent", [code, ...recent().filter((other) => other !== code)].slice(0, MOST_RECENT));
}

/** The language without its region, where no other region of it is on offer. */
function shortened(code) {
  const [language] = code.split("-");
  const rivals = measured.filter((other) => other.split("-")[0] === language);
  return rivals.length === 1 && rivals[0] === code && known.has(language) ? language : code;
}

function readersName(code) {
  const name = new Intl.DisplayNames(pageLanguage(), { type: "language" }).of(code);
  return name === code ? undefined : name.charAt(0).toLocaleUpperCase(pageLanguage()) + name.slice(1);
}

function searchedWords({ name, display_name: display, native_name: native }) {
  return [name, display, native].map(plain);
}

function rank({ code, searched, evaluated }, wanted) {
  const names = [...searched, plain(nameOf(code))];
  const place = [
    code.toLowerCase() === wanted,
    names.some((name) => name.startsWith(wanted)),
    code.toLowerCase().startsWith(wanted),
    names.some((name) => name.includes(` ${wanted}`) || name.includes(`(${wanted}`)),
    names.some((name) => name.includes(wanted)),
  ].indexOf(true);
  return place < 0 ? Infinity : place * 2 + (evaluated || code === "en" ? 0 : 1);
}

/** Lower case, without accents: `turkce` finds Türkçe. */
function plain(text) {
  return text.trim().toLowerCase().normalize("NFD").replace(/\p{Mn}/gu, "");
}
