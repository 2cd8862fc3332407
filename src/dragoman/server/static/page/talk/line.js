// The connection of one participant: it joins, and joins again for as long as that can help.

import { socket } from "../api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const UNANSWERED_MS = 10_000;
const PING_MS = 20_000;

/** What a close code means; any other is a connection that broke, and one comes back. */
function endOf(code) {
  if (code === 1000) return "over";
  if (code === 4001) return "elsewhere";
  return code >= 4400 && code <= 4599 ? "refused" : undefined;
}

export class Line {
  /** `introduce()` is what `join` says, `took(event)` gets each event, `turned(state)` each change of `state`:
   * `joining`, `open`, `waiting` for another try, or the end: `over`, `elsewhere`, `refused` or `closed`. */
  constructor({ room, introduce, took, turned }) {
    Object.assign(this, { room, introduce, took, turned, failures: 0, state: "closed" });
  }

  get isOpen() {
    return this.state === "open";
  }

  /** Connect now, also where another try would come later. */
  open() {
    this.#drop();
    this.watching = new AbortController();
    const { signal } = this.watching;
    window.addEventListener("online", () => !this.isOpen && this.open(), { signal });
    window.addEventListener("offline", () => this.#broke(), { signal }); // it may hang for minutes before it breaks
    document.addEventListener("visibilitychange", () => document.hidden || this.#ping(), { signal });
    const pinging = setInterval(() => this.#ping(), PING_MS);
    signal.addEventListener("abort", () => clearInterval(pinging));
    this.#connect();
  }

  /** End the connection for good, or until `open` is called. */
  close() {
    this.#drop();
    this.#turn("closed");
  }

  /** Send a message where the line is open; what matters is sent again by whoever keeps it. */
  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  /** Something was sent that is always answered: a line on which no answer comes is broken. */
  expectAnswer() {
    this.silence ??= setTimeout(() => this.#broke(), UNANSWERED_MS);
  }

  /** A network that is gone, or a night's sleep, need not close a connection: whoever only reads would wait for ever. */
  #ping() {
    if (!this.isOpen) return;
    this.send({ type: "ping" });
    this.expectAnswer();
  }

  #connect() {
    this.#turn("joining");
    const made = socket(`/v1/conversations/${encodeURIComponent(this.room)}`);
    this.socket = made;
    this.expectAnswer();
    made.onopen = () => made.send(JSON.stringify({ type: "join", ...this.introduce() }));
    made.onmessage = ({ data }) => this.#take(JSON.parse(data));
    made.onclose = ({ code }) => this.#closed(code);
  }

  #take(told) {
    clearTimeout(this.silence);
    this.silence = undefined;
    if (told.type === "joined") {
      this.failures = 0;
      this.state = "open"; // before it is told: who takes it may send
    }
    if (told.type !== "pong") this.took(told);
    if (told.type === "joined") this.turned("open");
  }

  #closed(code) {
    const end = endOf(code);
    if (!end) return this.#broke();
    this.#drop();
    return this.#turn(end);
  }

  #broke() {
    const { signal } = this.watching;
    this.#hangUp();
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures) * (0.75 + Math.random() / 2);
    this.failures += 1;
    this.retry = setTimeout(() => !signal.aborted && this.#connect(), pause);
    this.#turn("waiting");
  }

  #drop() {
    this.watching?.abort();
    this.#hangUp();
  }

  #hangUp() {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.silence = undefined;
    if (!this.socket) return;
    Object.assign(this.socket, { onopen: null, onmessage: null, onclose: null });
    this.socket.close();
    this.socket = undefined;
  }

  #turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.turned(state);
  }
}
