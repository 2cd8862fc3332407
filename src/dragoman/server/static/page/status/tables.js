// What is told in words and figures below the plots: queues, memory, errors by kind, the process.

import { element } from "../dom.js";
import { phrase } from "../i18n.js";
import { bytes, clock, duration, figure, percent } from "./figures.js";

const TABLES = {
  "status.queues": queues, "status.memory": memory, "status.errors_of_hour": errors, "status.process": process,
};

export class Tables {
  constructor() {
    this.boxes = Object.keys(TABLES).map((title) =>
      element("div", { className: "scrolled", tabIndex: 0, role: "region", words: { "aria-label": title } }));
    this.node = element("div", { className: "tables" }, ...Object.keys(TABLES).map((title, index) =>
      element("section", {}, element("h2", { words: { text: title } }), this.boxes[index])));
  }

  /** The boxes stay, for somebody may be reading in one. */
  show(status) {
    Object.values(TABLES).forEach((made, index) => this.boxes[index].replaceChildren(...made(status)));
  }
}

function queues({ lanes }) {
  const rows = Object.entries(lanes).map(([lane, held]) => [
    words(`status.${lane}`), of(held.waiting, held.max_waiting), of(held.tokens, held.max_tokens),
  ]);
  return [table(["status.lane", "status.segments", "status.source_tokens"], rows)];
}

function memory({ memory: tiers, hit_rate: hitRate }) {
  if (!tiers) return [say("status.no_memory")];
  const rows = Object.entries(tiers).map(([tier, held]) => [
    tier, figure(held.entries), bytes(held.bytes), figure(held.hits), figure(held.dropped),
  ]);
  const columns = ["status.tier", "status.entries", "status.size", "status.found", "status.dropped"];
  return [table(columns, rows), ...(hitRate === null ? [] : [say("status.hit_rate", { rate: percent(hitRate) })])];
}

function errors({ series }) {
  const counted = Object.entries(series.errors_per_s)
    .map(([kind, rates]) => [kind, Math.round(rates.reduce((sum, rate) => sum + rate, 0) * series.every_s)])
    .sort((one, other) => other[1] - one[1]);
  const rows = counted.map(([kind, count]) => [element("code", { textContent: kind }), figure(count)]);
  return [rows.length ? table(["status.kind", "status.segments"], rows) : say("status.no_errors")];
}

function process({ process: one }) {
  return [element("dl", { className: "process" },
    ...fact("status.rss", bytes(one.rss_bytes)),
    ...fact("status.rss_soft", limit(one.rss_soft_limit_bytes)),
    ...fact("status.rss_hard", limit(one.rss_hard_limit_bytes)),
    ...fact("status.lag", duration(one.loop_lag_ms)),
    ...fact("status.started", new Date(one.started_at * 1000).toLocaleDateString(document.documentElement.lang), clock(one.started_at)),
    ...fact("status.pid", String(one.pid)))];
}

function table(columns, rows) {
  const head = element("tr", {}, ...columns.map((key) => element("th", { scope: "col", words: { text: key } })));
  const body = rows.map(([first, ...others]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...others.map((cell) => element("td", {}, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function fact(key, ...values) {
  return [element("dt", { words: { text: key } }), element("dd", {}, values.join(" "))];
}

function limit(value) {
  return value ? bytes(value) : words("status.never").textContent;
}

function words(key) {
  return element("span", { words: { text: key } });
}

function say(key, values = {}) {
  const node = element("p", { className: "faint" });
  phrase(node, key, values);
  return node;
}

function of(value, most) {
  const node = element("span");
  phrase(node, "status.of", { value: figure(value), most: figure(most) });
  return node;
}
