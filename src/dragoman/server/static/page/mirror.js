// The text behind a text area, letter under letter: it makes the area grow, and carries the marks of its sentences.

import { element } from "./dom.js";

export class Mirror {
  constructor() {
    this.node = element("div", { className: "mirror", "aria-hidden": "true" });
    this.lines = [];
    this.marks = [];
    this.write("");
  }

  /** Take over the text of the area; all marks are gone. Only lines that differ are laid out again. */
  write(text) {
    this.#unmark();
    const lines = text.split("\n");
    const shorter = Math.min(lines.length, this.lines.length);
    let same = 0;
    while (same < shorter && lines[same] === this.lines[same]) same += 1;
    let sameAtEnd = 0;
    while (sameAtEnd < shorter - same && lines.at(-1 - sameAtEnd) === this.lines.at(-1 - sameAtEnd)) sameAtEnd += 1;
    this.#exchange(same, this.lines.length - sameAtEnd, lines.slice(same, lines.length - sameAtEnd));
    this.lines = lines;
    this.place = { line: 0, column: 0, before: 0 };
  }

  /** Mark a sentence by its words, which stand behind those of the sentence before. What is not there gets no mark. */
  mark(index, words) {
    const place = this.#find(words);
    if (!place) return;
    const rest = this.node.children[place.line].lastChild;
    const node = element("span");
    node.dataset.sentence = index;
    const found = rest.splitText(rest.length - (this.lines[place.line].length - place.column));
    found.splitText(words.length);
    found.replaceWith(node);
    node.append(found);
    const start = place.before + place.column;
    this.marks.push({ index, start, end: start + words.length, node });
    this.place = { ...place, column: place.column + words.length };
  }

  /** The sentence under a point of the screen, undefined where there is none. */
  at(x, y) {
    const mark = document.elementsFromPoint(x, y).find((one) => one.dataset.sentence && this.node.contains(one));
    return mark && Number(mark.dataset.sentence);
  }

  /** The sentence around an offset of the text. */
  around(offset) {
    return this.marks.find(({ start, end }) => start <= offset && offset <= end)?.index;
  }

  light(index) {
    for (const mark of this.marks) mark.node.classList.toggle("lit", mark.index === index);
  }

  /** Where these words stand next: line, column, and the offset of the line. */
  #find(words) {
    let { line, column, before } = this.place;
    for (; line < this.lines.length; line += 1) {
      const at = words ? this.lines[line].indexOf(words, column) : -1;
      if (at >= 0) return { line, column: at, before };
      before += this.lines[line].length + 1;
      column = 0;
    }
    return undefined;
  }

  #unmark() {
    for (const line of new Set(this.marks.map(({ node }) => node.parentElement))) line.textContent = line.textContent;
    this.marks = [];
  }

  #exchange(from, to, lines) {
    const old = [...this.node.children].slice(from, to);
    const after = this.node.children[to] ?? null;
    for (const line of old) line.remove();
    const made = lines.map((textContent) => element("div", { textContent }));
    for (const line of made) this.node.insertBefore(line, after);
  }
}
