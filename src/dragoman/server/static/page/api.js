// The only place that talks to the server.

import { keep, recall } from "./store.js";

/** What is wrong, by status: each has a heading `problem.KIND` among the page's words. */
const KINDS = {
  400: "request", 401: "key", 403: "forbidden", 404: "missing", 409: "not_now", 410: "missing", 413: "too_long",
  415: "request", 422: "language", 429: "quota", 501: "not_offered", 502: "engine", 503: "busy", 504: "slow", 507: "server",
};

/** The same request would be refused again: something in it has to change. */
const FINAL_KINDS = new Set(["request", "forbidden", "too_long", "language", "not_offered"]);

/** A problem that the server told (RFC 9457). */
export class Problem extends Error {
  constructor(told) {
    super(told.detail ?? told.message ?? told.title ?? "");
    this.status = told.status;
    this.field = told.field;
    this.type = told.type;
    this.kind = KINDS[told.status] ?? "server";
    this.isFinal = FINAL_KINDS.has(this.kind);
  }
}

/** The server did not answer, or the connection broke off; `kind` is `unreachable`, `offline` or `cut`. */
export class ConnectionProblem extends Error {
  constructor(kind) {
    super("");
    this.kind = kind;
  }
}

/** The API key, kept in this browser; "" where there is none. */
export function apiKey() {
  return recall("key", "");
}

export function keepApiKey(key) {
  keep("key", key || undefined);
}

/** Send a request. Throws Problem, ConnectionProblem, or AbortError where `signal` ended it. */
export async function request(method, path, { json, body, headers = {}, signal } = {}) {
  const sent = { ...(apiKey() && { authorization: `Bearer ${apiKey()}` }), ...headers };
  if (json !== undefined) sent["content-type"] = "application/json";
  const response = await reached(fetch(path, { method, headers: sent, body: json ? JSON.stringify(json) : body, signal }));
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** The JSON that a request is answered with. */
export async function fetchJson(method, path, options) {
  const response = await request(method, path, options);
  return response.json();
}

/** A file as `{ blob, filename }`; `filename` is what the server calls it. */
export async function fetchFile(path, options) {
  const response = await request("GET", path, options);
  const [, name = ""] = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("content-disposition") ?? "") ?? [];
  return { blob: await reached(response.blob(), "cut"), filename: decodeURIComponent(name) };
}

/** Send a request and yield `{ event, data }` for each server-sent event of the answer. Throws as `request`. */
export async function* events(method, path, options) {
  const response = await request(method, path, { ...options, headers: { accept: "text/event-stream" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  try {
    for (;;) {
      const { done, value } = await reached(reader.read(), "cut");
      if (done) return;
      const blocks = (unread + value).split("\n\n");
      unread = blocks.pop();
      yield* blocks.map(eventOf).filter(({ data }) => data !== undefined);
    }
  } finally {
    reader.cancel().catch(() => {}); // The stream has failed already; that was thrown above.
  }
}

/** A WebSocket to a path of this server. Browsers set no headers here, so who connects is said in a message. */
export function socket(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url);
}

async function reached(answer, otherwise = "unreachable") {
  try {
    return await answer;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ConnectionProblem(navigator.onLine ? otherwise : "offline");
  }
}

async function problemOf(response) {
  const text = await response.text();
  const told = response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : { title: text };
  const failed = told.translations?.[0]?.error ?? told;
  return new Problem({ ...failed, status: response.status });
}

function eventOf(block) {
  const read = { event: "message", data: undefined };
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) read.event = line.slice(7);
    if (line.startsWith("data: ")) read.data = JSON.parse(line.slice(6));
  }
  return read;
}

const LOOK_AGAIN_MS = 3000;

/** Resolves when the server answers again, or when `signal`, if there is one, ends the wait. */
export async function serverIsBack(signal = new AbortController().signal) {
  while (!signal.aborted) {
    await nextLook(signal);
    if (!signal.aborted && (await isThere())) return;
  }
}

/** After a while, or as soon as the browser is online again. */
function nextLook(signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LOOK_AGAIN_MS);
    window.addEventListener("online", resolve, { once: true, signal });
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

async function isThere() {
  try {
    return (await fetch("/health")).ok;
  } catch {
    return false;
  }
}
