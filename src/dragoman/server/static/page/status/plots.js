// Which plots there are, and the figures of this moment above them.

import { element } from "../dom.js";
import { phrase } from "../i18n.js";
import { duration, figure, perSecond, percent } from "./figures.js";
import { Plot } from "./plot.js";

const PLOTS = [
  {
    title: "status.request_time", written: duration, least: 10,
    lines: [
      { label: "p50", column: (series) => series.p50_ms, filled: true },
      { label: "p95", column: (series) => series.p95_ms },
      { label: "p99", column: (series) => series.p99_ms },
    ],
  },
  {
    title: "status.throughput", written: perSecond,
    lines: [
      { name: "status.segments", column: (series) => series.segments_per_s, filled: true },
      { name: "status.requests", column: (series) => series.requests_per_s },
    ],
  },
  {
    title: "status.slots", written: figure,
    lines: [
      { name: "status.slots_used", column: (series) => series.slots_used, filled: true },
      { name: "status.limit", column: (series) => series.limit },
    ],
  },
  {
    title: "status.queue", written: figure, least: 4,
    lines: [
      { name: "status.interactive", column: (series) => series.interactive_waiting, filled: true },
      { name: "status.bulk", column: (series) => series.bulk_waiting },
    ],
  },
  {
    title: "status.from_memory", written: percent, most: 1,
    lines: [{ name: "status.segments", column: (series) => series.hit_rate, filled: true }],
  },
  {
    title: "status.errors", written: perSecond,
    lines: [
      { name: "status.failed_requests", column: (series) => series.failed_per_s },
      { name: "status.refused_requests", column: (series) => series.refused_per_s },
      { name: "status.failed_segments", column: errorsOf },
    ],
  },
];

/** Segments that failed or were refused, of all kinds together. */
function errorsOf({ at, errors_per_s: kinds }) {
  return at.map((_, index) => Object.values(kinds).reduce((sum, column) => sum + column[index], 0));
}

export class Plots {
  constructor() {
    this.plots = PLOTS.map((plot) => new Plot(plot));
    this.node = element("section", {}, element("h2", { words: { text: "status.last_hour" } }),
      element("div", { className: "plots" }, ...this.plots.map(({ node }) => node)));
  }

  show({ series, at }) {
    for (const plot of this.plots) plot.show(series, at);
  }
}

/** The figures that are read across the room. */
export class Figures {
  constructor() {
    this.values = {};
    const names = ["requests", "segments", "p95", "slots", "queue", "from_memory", "errors"];
    const entries = names.map((name) => {
      this.values[name] = element("dd");
      return element("div", {}, element("dt", { words: { text: `status.now_${name}` } }), this.values[name]);
    });
    this.node = element("dl", { className: "figures" }, ...entries);
  }

  show({ series, replicas, lanes }) {
    const last = (column) => column.at(-1);
    const { requests, segments, p95, slots, queue, from_memory: remembered, errors } = this.values;
    requests.textContent = perSecond(last(series.requests_per_s));
    segments.textContent = perSecond(last(series.segments_per_s));
    p95.textContent = duration(last(series.p95_ms));
    phrase(slots, "status.of", { value: figure(sum(replicas, "flying")), most: figure(sum(atWork(replicas), "limit")) });
    queue.textContent = figure(sum(Object.values(lanes), "waiting"));
    remembered.textContent = percent(last(series.hit_rate));
    const failed = last(errorsOf(series));
    errors.textContent = perSecond(failed);
    errors.parentElement.classList.toggle("bad", failed > 0);
  }
}

function atWork(replicas) {
  return replicas.filter(({ state }) => state === "ready");
}

function sum(rows, column) {
  return rows.reduce((total, row) => total + row[column], 0);
}
