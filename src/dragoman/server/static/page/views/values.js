// Values for the holes of phrases, written anew each time the phrase is said, for the page may change its language.

import { pageLanguage, regionalLanguage } from "../i18n.js";
import { nameOf } from "../languages.js";

function lazily(write) {
  return { toString: write };
}

/** The name of a language. */
export function language(code) {
  return lazily(() => nameOf(code));
}

/** The names of languages, one after the other. */
export function languages(codes) {
  return lazily(() => codes.map(nameOf).join(comma()));
}

/** Words, one after the other. */
export function listed(words) {
  return lazily(() => words.join(comma()));
}

/** A share of 0 to 1, in percent. */
export function percent(share) {
  return lazily(() => new Intl.NumberFormat(regionalLanguage(), { style: "percent" }).format(share));
}

/** A time in seconds, no finer than one can wait for: seconds, then minutes, then hours and minutes. */
export function duration(seconds) {
  return lazily(() => {
    if (seconds < 60) return unit(Math.round(seconds), "second");
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return unit(minutes, "minute");
    return `${unit(Math.floor(minutes / 60), "hour")} ${unit(minutes % 60, "minute")}`;
  });
}

/** A moment of which the ISO text is given. */
export function moment(iso) {
  return lazily(() => new Date(iso).toLocaleString(regionalLanguage(), { dateStyle: "medium", timeStyle: "short" }));
}

function unit(value, name) {
  return new Intl.NumberFormat(regionalLanguage(), { style: "unit", unit: name, unitDisplay: "short" }).format(value);
}

/** Intl.ListFormat puts an "and" before the last one in some languages, which is no part of a list of columns. */
function comma() {
  return { ar: "، ", ja: "、", zh: "、" }[pageLanguage()] ?? ", ";
}
