// Asks the server for its status, every five seconds while the page is seen.

import { ConnectionProblem, fetchJson } from "../api.js";

const EVERY_MS = 5000;
const PATIENCE_MS = 10_000;
const KEY = "dragoman.operator";

/** The operator's key, for as long as this tab is open; "" where none was given. */
export function operatorKey() {
  return sessionStorage.getItem(KEY) ?? "";
}

/** Use another key from now on; "" forgets it. */
export function keepOperatorKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** Ask one of the operator's routes. Throws Problem or ConnectionProblem. */
export async function ask(method, path) {
  const headers = operatorKey() ? { authorization: `Bearer ${operatorKey()}` } : {};
  try {
    return await fetchJson(method, path, { headers, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw error.kind ? error : new ConnectionProblem("cut"); // while the body was read
  }
}

export class Source {
  /** `told(status)` gets each answer, `failed(error)` what went wrong instead. */
  constructor(told, failed) {
    this.told = told;
    this.failed = failed;
    this.asking = false;
    document.addEventListener("visibilitychange", () => this.look());
    window.addEventListener("online", () => this.look());
    window.addEventListener("offline", () => this.look());
  }

  /** Ask now, and then every five seconds; while nobody sees the page, not at all. */
  async look() {
    clearTimeout(this.timer);
    if (document.hidden || this.asking) return;
    this.asking = true;
    const [status, error] = await outcome(ask("GET", "/v1/status"));
    this.asking = false;
    this.timer = setTimeout(() => this.look(), EVERY_MS);
    if (error) this.failed(error);
    else this.told(status);
  }
}

async function outcome(answer) {
  try {
    return [await answer, undefined];
  } catch (error) {
    return [undefined, error];
  }
}
