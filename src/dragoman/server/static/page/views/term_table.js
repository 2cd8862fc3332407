// A table of terms that is written in like a spreadsheet.

import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";
import { directionOf } from "../languages.js";
import { parsed } from "./delimited.js";
import { language } from "./values.js";

const MOST_SHOWN = 200;
const SIDES = ["source", "target"];

export class TermTable {
  /** `changed()` is called when a term is another. */
  constructor(changed) {
    this.changed = changed;
    this.terms = [];
    this.heads = SIDES.map(() => element("th", { scope: "col" }));
    this.body = element("tbody");
    this.more = button("glossaries.more", () => this.#showMore(), { className: "quiet" });
    const last = element("th", { scope: "col" }, element("span", { className: "visually-hidden", words: { text: "files.remove" } }));
    this.node = element("div", {},
      element("table", { className: "terms" }, element("thead", {}, element("tr", {}, ...this.heads, last)), this.body), this.more);
    this.body.addEventListener("input", (event) => this.#write(event.target));
    this.body.addEventListener("keydown", (event) => this.#press(event));
    this.body.addEventListener("paste", (event) => this.#paste(event));
  }

  /** How many rows hold a term. */
  get count() {
    return this.terms.filter(isFilled).length;
  }

  /** Show the terms of a pair, each `{ source, target }`. */
  open(terms, pair) {
    this.terms = terms;
    this.pair = pair;
    SIDES.forEach((side, at) => phrase(this.heads[at], "language.named", { language: language(pair[side]) }));
    this.filter("");
  }

  /** Show the terms that hold these letters on either side. */
  filter(query) {
    this.query = query.trim().toLocaleLowerCase();
    this.most = MOST_SHOWN;
    this.#draw();
  }

  /** Add terms at the end, but none that is there already. */
  append(terms) {
    const known = new Set(this.terms.map(keyOf));
    this.terms = [...this.terms.filter(isFilled), ...terms.filter((term) => !known.has(keyOf(term)))];
    this.#draw();
    this.changed();
  }

  /** Say what is wrong with the term of this index, in the server's words. */
  fault(index, what) {
    this.faulty = { index, what };
    this.query = "";
    this.most = Math.max(MOST_SHOWN, index + 1);
    this.#draw();
    this.faulty = undefined;
    this.#focus(index, /\bsource\b/.test(what) ? "source" : "target");
  }

  #draw() {
    const found = [...this.terms.keys()].filter((index) => this.#isFound(this.terms[index]));
    const rows = found.slice(0, this.most).map((index) => this.#row(index));
    if (!this.query && found.length <= this.most) rows.push(this.#row(this.terms.length));
    this.body.replaceChildren(...rows);
    this.more.hidden = found.length <= this.most;
    phrase(this.more, "glossaries.more", { count: found.length - this.most });
  }

  #isFound({ source, target }) {
    return !this.query || [source, target].some((words) => words.toLocaleLowerCase().includes(this.query));
  }

  #showMore() {
    const next = this.most;
    this.most += MOST_SHOWN;
    this.#draw();
    this.body.rows[next].querySelector("input").focus();
  }

  /** A row; the one behind the last is for the term to come. */
  #row(index) {
    const term = this.terms[index];
    const cells = SIDES.map((side) => element("td", {}, this.#input(index, side)));
    const remove = button("", () => this.#remove(index), { className: "icon icon-close", hidden: !term });
    phrase(remove, "glossaries.delete_term", { number: index + 1 }, "aria-label");
    const row = element("tr", {}, ...cells, element("td", {}, remove));
    row.dataset.index = index;
    if (this.faulty?.index === index) markFaulty(row, this.faulty.what);
    return row;
  }

  #input(index, side) {
    const code = this.pair[side];
    const made = element("input", {
      type: "text", value: this.terms[index]?.[side] ?? "", autocomplete: "off", spellcheck: false, lang: code, dir: directionOf(code),
    });
    made.dataset.side = side;
    phrase(made, "glossaries.cell", { language: language(code), number: index + 1 }, "aria-label");
    if (index === this.terms.length && side === "source") phrase(made, "glossaries.new_term", {}, "placeholder");
    return made;
  }

  #write(input) {
    const { index, side } = placeOf(input);
    clearFault(input.closest("tr"));
    if (index < this.terms.length) this.terms[index] = { ...this.terms[index], [side]: input.value };
    else this.#begin(input, side);
    this.changed();
  }

  /** The last row has become a term, and so another comes behind it. */
  #begin(input, side) {
    this.terms = [...this.terms, { source: "", target: "", [side]: input.value }];
    const row = input.closest("tr");
    row.querySelector("button").hidden = false;
    row.querySelector("[placeholder]")?.removeAttribute("placeholder");
    this.body.append(this.#row(this.terms.length));
  }

  #press(event) {
    if (event.isComposing || event.target.tagName !== "INPUT") return;
    const { side, row } = placeOf(event.target);
    const rows = { ArrowUp: row.previousElementSibling, ArrowDown: row.nextElementSibling };
    if (event.key in rows) focusIn(rows[event.key], side);
    else if (event.key === "Enter" && !event.ctrlKey) this.#next(row, side);
    else if (event.key === "Delete" && event.ctrlKey) this.#remove(Number(row.dataset.index));
    else return;
    event.preventDefault();
  }

  /** From a source to its target, from there to the next source. */
  #next(row, side) {
    if (side === "source") focusIn(row, "target");
    else focusIn(row.nextElementSibling, "source");
  }

  #remove(index) {
    if (index >= this.terms.length) return;
    this.terms = this.terms.filter((_, at) => at !== index);
    this.#draw();
    this.#focus(Math.min(index, this.terms.length), "source");
    this.changed();
  }

  /** What comes out of a spreadsheet has tabs or lines; it begins in the cell that is pasted into. */
  #paste(event) {
    const text = event.clipboardData.getData("text/plain");
    if (!/[\t\n]/.test(text.trim())) return;
    event.preventDefault();
    const { index, side } = placeOf(event.target);
    const pasted = parsed(text, "\t");
    const rows = pasted.map((cells, at) => filled(this.terms[index + at], side, cells));
    this.terms = [...this.terms.slice(0, index), ...rows, ...this.terms.slice(index + rows.length)];
    this.#draw();
    this.#focus(index + rows.length, "source");
    this.changed();
  }

  #focus(index, side) {
    const row = this.body.querySelector(`[data-index="${index}"]`) ?? this.body.lastElementChild;
    focusIn(row, side);
  }
}

/** Terms as tab-separated values, below a head; one row a line, so that line and row belong together. */
export function asTable(terms) {
  const lines = terms.map(({ source, target }) => `${plain(source)}\t${plain(target)}`);
  return ["source\ttarget", ...lines, ""].join("\n");
}

function plain(words) {
  return words.replace(/[\t\r\n]+/g, " ");
}

function isFilled({ source, target }) {
  return Boolean(source.trim() || target.trim());
}

function keyOf({ source, target }) {
  return JSON.stringify([source.trim(), target.trim()]);
}

function placeOf(input) {
  const row = input.closest("tr");
  return { row, index: Number(row.dataset.index), side: input.dataset.side };
}

function focusIn(row, side) {
  row?.querySelector(`[data-side="${side}"]`).focus();
}

/** A term with cells put in from one side on. */
function filled(term = { source: "", target: "" }, side, [first, second = term.target]) {
  return side === "target" ? { ...term, target: first } : { source: first, target: second };
}

function markFaulty(row, what) {
  const message = element("p", { className: "fault", lang: "en", dir: "ltr", role: "alert", textContent: what });
  row.classList.add("faulty");
  row.cells[0].append(message);
  for (const input of row.querySelectorAll("input")) input.setAttribute("aria-invalid", "true");
}

function clearFault(row) {
  row.classList.remove("faulty");
  row.querySelector(".fault")?.remove();
  for (const input of row.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}
