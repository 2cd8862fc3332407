// Figures as the page's language writes them, with their units.

import { regionalLanguage, t } from "../i18n.js";

const NONE = "–";

/** A figure to three digits; those left of the point are all kept. */
export function figure(value) {
  if (value === null || value === undefined) return NONE;
  const digits = Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 };
  return new Intl.NumberFormat(regionalLanguage(), digits).format(value);
}

export function perSecond(value) {
  return value === null || value === undefined ? NONE : t("status.per_second", { value: figure(value) });
}

export function percent(value) {
  if (value === null || value === undefined) return NONE;
  return new Intl.NumberFormat(regionalLanguage(), { style: "percent", maximumSignificantDigits: 3 }).format(value);
}

/** A time given in milliseconds, from a second on in seconds. */
export function duration(value) {
  if (value === null || value === undefined) return NONE;
  return value < 1000 ? inUnit(value, "millisecond", "narrow") : inUnit(value / 1000, "second", "narrow");
}

export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), units.length - 1);
  return inUnit(value / 1000 ** power, units[power]);
}

/** How long something has lasted, by its two largest units. */
export function lasted(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return inUnit(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${inUnit(hours, "hour")} ${inUnit(minutes % 60, "minute")}`;
  return `${inUnit(Math.floor(hours / 24), "day")} ${inUnit(hours % 24, "hour")}`;
}

/** The time of day, of Unix seconds. */
export function clock(at, { seconds = true } = {}) {
  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(seconds && { second: "2-digit" }) };
  return new Intl.DateTimeFormat(regionalLanguage(), parts).format(at * 1000);
}

function inUnit(value, unit, unitDisplay = "short") {
  const digits = value < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 };
  return new Intl.NumberFormat(regionalLanguage(), { style: "unit", unit, unitDisplay, ...digits }).format(value);
}
