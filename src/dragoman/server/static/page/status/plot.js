// One plot of the last hour: lines over time, drawn as SVG. Lines differ by colour and by their strokes.

import { element } from "../dom.js";
import { phrase, t } from "../i18n.js";
import { clock } from "./figures.js";

const SPAN_S = 3600;
const HEIGHT = 208;
const MARGIN = { top: 12, right: 8, bottom: 26, left: 64 };
const TICKS = 4;
const ROW_S = 300;
const SVG = "http://www.w3.org/2000/svg";

/** The smallest of 1, 2 and 5 times a power of ten that divides `most` into no more than `parts`. */
export function tickStep(most, parts) {
  const raw = most / parts;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= raw * (1 - 1e-9));
}

/** The path of a line through points `[x, y]`, broken where a y is null. A point alone becomes a dot. */
export function pathOf(points) {
  let path = "";
  let isDrawing = false;
  for (const [x, y] of points) {
    if (y !== null) path += isDrawing ? `L${x.toFixed(1)} ${y.toFixed(1)}` : `M${x.toFixed(1)} ${y.toFixed(1)}h0`;
    isDrawing = y !== null;
  }
  return path;
}

export class Plot {
  /**
   * `lines` are `{ name, column, filled }`, where `name` is a phrase or plain `label`; `column(series)` gives the values.
   * `written` writes a value with its unit; `least` is the lowest that the top of the axis may be, `most` the highest.
   */
  constructor({ title, lines, written, least = 1, most = Infinity }) {
    Object.assign(this, { title, lines, written, least, most });
    this.series = { at: [] };
    this.now = 0;
    this.values = lines.map(() => element("strong"));
    this.when = element("span", { className: "caption" });
    this.svg = drawn("svg", { role: "img", height: HEIGHT, direction: "ltr" });
    this.box = element("div", { className: "scrolled", tabIndex: 0, role: "region", words: { "aria-label": title } });
    this.table = element("details", {}, element("summary", { words: { text: "status.table" } }), this.box);
    this.table.addEventListener("toggle", () => this.#fillTable());
    this.svg.addEventListener("pointermove", (event) => this.#point(event));
    this.svg.addEventListener("pointerleave", () => this.#point());
    this.node = element("figure", { className: "plot" }, this.#caption(), this.svg, this.table);
    new ResizeObserver(() => this.#draw()).observe(this.svg);
  }

  /** Show these series, the right edge being `now`. */
  show(series, now) {
    this.series = series;
    this.now = now;
    this.columns = this.lines.map(({ column }) => column(series));
    this.#draw();
    this.#fillTable();
  }

  #caption() {
    const entries = this.lines.map((line, index) => element("li", {}, swatch(index), nameOf(line), this.values[index]));
    return element("figcaption", {},
      element("div", { className: "title" }, element("h3", { words: { text: this.title } }), this.when),
      element("ul", { className: "legend" }, ...entries));
  }

  #draw() {
    if (!this.columns) return;
    this.width = this.svg.clientWidth || 600;
    this.top = this.#topValue();
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.guide = drawn("line", { class: "guide", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
    this.svg.replaceChildren(...this.#rows(), ...this.#hours(), ...this.#fills(), ...this.#lines(), this.guide);
    this.#read(this.series.at.length - 1);
    const told = this.lines.map((line, index) => `${labelOf(line)} ${this.values[index].textContent}`);
    this.svg.setAttribute("aria-label", `${t(this.title)}: ${told.join(", ")}`);
  }

  #topValue() {
    const highest = Math.max(this.least, ...this.columns.flat().filter((value) => value !== null));
    const step = tickStep(highest, TICKS);
    return Math.min(this.most, Math.ceil(highest / step - 1e-9) * step);
  }

  #x(at) {
    return this.width - MARGIN.right - (this.now - at) / SPAN_S * (this.width - MARGIN.left - MARGIN.right);
  }

  #y(value) {
    return HEIGHT - MARGIN.bottom - value / this.top * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }

  /** The value axis: a line and a figure at each step. */
  #rows() {
    const step = tickStep(this.top, TICKS);
    const values = Array.from({ length: Math.round(this.top / step) + 1 }, (_, index) => index * step);
    return values.flatMap((value) => [
      drawn("line", { class: "row", x1: MARGIN.left, x2: this.width - MARGIN.right, y1: this.#y(value), y2: this.#y(value) }),
      written(this.written(value), { x: MARGIN.left - 8, y: this.#y(value) + 4, "text-anchor": "end" }),
    ]);
  }

  /** The time axis: the time of day every ten minutes, or twenty where there is little room. */
  #hours() {
    const every = this.width < 400 ? 1200 : 600;
    const first = Math.ceil((this.now - SPAN_S) / every) * every;
    const times = Array.from({ length: SPAN_S / every + 1 }, (_, index) => first + index * every);
    return times.filter((at) => this.#x(at) > MARGIN.left + 16 && this.#x(at) < this.width - MARGIN.right - 16).flatMap((at) => [
      drawn("line", { class: "tick", x1: this.#x(at), x2: this.#x(at), y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom + 4 }),
      written(clock(at, { seconds: false }), { x: this.#x(at), y: HEIGHT - 6, "text-anchor": "middle" }),
    ]);
  }

  #fills() {
    return this.lines.flatMap(({ filled }, index) => (filled ? runs(this.#points(index)).map((run) => this.#fill(run)) : []));
  }

  #fill(run) {
    const floor = this.#y(0).toFixed(1);
    const over = run.map(([x, y]) => `L${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    return drawn("path", { class: "fill", d: `M${run[0][0].toFixed(1)} ${floor}${over}L${run.at(-1)[0].toFixed(1)} ${floor}Z` });
  }

  /** The last line first, so that the first lies above them all. */
  #lines() {
    return this.lines.map((_, index) => drawn("path", { class: `line line-${index}`, d: pathOf(this.#points(index)) })).reverse();
  }

  /** Where the points of a line are. Where the server was away, a point without a value breaks the line. */
  #points(index) {
    const points = [];
    this.series.at.forEach((at, number) => {
      const before = this.series.at[number - 1];
      if (at - before > 2.5 * this.series.every_s) points.push([this.#x(before), null]);
      const value = this.columns[index][number];
      if (at >= this.now - SPAN_S) points.push([this.#x(at), value === null ? null : this.#y(value)]);
    });
    return points;
  }

  #point(event) {
    const { at } = this.series;
    if (!event || !at.length) {
      this.guide?.setAttribute("visibility", "hidden");
      this.#read(at.length - 1);
      return;
    }
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const number = at.reduce((best, one, index) => (Math.abs(this.#x(one) - x) < Math.abs(this.#x(at[best]) - x) ? index : best), 0);
    for (const slot of ["x1", "x2"]) this.guide.setAttribute(slot, this.#x(at[number]));
    this.guide.setAttribute("visibility", "visible");
    this.#read(number);
  }

  /** Write the values of a point into the legend. */
  #read(number) {
    this.values.forEach((node, index) => { node.textContent = this.written(this.columns?.[index][number]); });
    const isLatest = number === this.series.at.length - 1;
    if (number < 0) phrase(this.when, "status.no_points");
    else if (isLatest) phrase(this.when, "status.latest");
    else phrase(this.when, "status.at", { time: clock(this.series.at[number]) });
  }

  #fillTable() {
    if (!this.table.open) return;
    const head = element("tr", {}, element("th", { scope: "col", words: { text: "status.time" } }),
      ...this.lines.map((line) => element("th", { scope: "col" }, labelOf(line))));
    this.box.replaceChildren(element("table", {}, element("caption", { words: { text: "status.table_means" } }),
      element("thead", {}, head), element("tbody", {}, ...this.#means())));
  }

  /** A row for every five minutes of the hour, the latest first. */
  #means() {
    const { at } = this.series;
    const starts = [...new Set(at.map((one) => Math.floor((one - 0.001) / ROW_S) * ROW_S))].reverse();
    return starts.map((start) => {
      const within = at.flatMap((one, index) => (one > start && one <= start + ROW_S ? [index] : []));
      const cells = this.columns.map((column) => element("td", { textContent: this.written(mean(within.map((index) => column[index]))) }));
      return element("tr", {}, element("th", { scope: "row", textContent: clock(start, { seconds: false }) }), ...cells);
    });
  }
}

function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** The stretches of points without a break. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] !== null) found.at(-1).push(point);
    else found.push([]);
  }
  return found.filter((run) => run.length > 1);
}

function labelOf({ name, label }) {
  return label ?? t(name);
}

function nameOf({ name, label }) {
  return element("span", label ? { textContent: label } : { words: { text: name } });
}

function swatch(index) {
  const node = drawn("svg", { class: "swatch", viewBox: "0 0 24 8", width: 24, height: 8, "aria-hidden": "true" });
  node.append(drawn("path", { class: `line line-${index}`, d: "M1 4H23" }));
  return node;
}

function drawn(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function written(words, attributes) {
  const node = drawn("text", attributes);
  node.textContent = words;
  return node;
}
