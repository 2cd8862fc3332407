// The first rows of a table that stands on the reader's machine, so that its columns can be chosen.

import { decoded, parsed, separatorOf } from "./delimited.js";

const HEAD_BYTES = 256 * 1024;
const MOST_SAMPLES = 3;
const LOOKED_AT_ROWS = 20;
const SEVERAL_WORDS = /\p{L}\S*\s+\S*\p{L}/u;

/** The columns of a table as `{ name, samples, isProse }`; undefined where the browser cannot read its kind. */
export async function readColumns(file) {
  const suffix = file.name.toLowerCase().split(".").at(-1);
  const read = { csv: fromTable, tsv: fromTable, jsonl: fromLines, ndjson: fromLines }[suffix];
  if (!read) return undefined;
  const bytes = await file.slice(0, HEAD_BYTES).arrayBuffer();
  const columns = read(decoded(new Uint8Array(bytes)));
  return [...columns].map(([name, cells]) => ({ name, samples: cells.slice(0, MOST_SAMPLES), isProse: isProse(cells) }));
}

function fromTable(text) {
  const [names = [], ...rows] = parsed(text, separatorOf(text), LOOKED_AT_ROWS + 1);
  return new Map(names.map((name, column) => [name, rows.map((row) => row[column] ?? "")]));
}

function fromLines(text) {
  const records = text.split(/\r?\n/).slice(0, LOOKED_AT_ROWS).map(recordOf).filter(Boolean);
  const columns = new Map();
  for (const [row, record] of records.entries()) {
    for (const [path, words] of texts(record)) {
      if (!columns.has(path)) columns.set(path, Array(records.length).fill(""));
      columns.get(path)[row] = words;
    }
  }
  return columns;
}

/** A line that is no object (the last one may be cut) has nothing to show; the server says what is wrong with it. */
function recordOf(line) {
  try {
    const record = JSON.parse(line);
    return typeof record === "object" ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The texts of a record by their path, as `title.short`. */
function texts(record, before = "") {
  return Object.entries(record).flatMap(([name, value]) => {
    if (typeof value === "string") return [[before + name, value]];
    const isNested = value !== null && typeof value === "object" && !Array.isArray(value);
    return isNested ? texts(value, `${before}${name}.`) : [];
  });
}

function isProse(cells) {
  const filled = cells.filter((words) => words.trim());
  return filled.length > 0 && filled.filter((words) => SEVERAL_WORDS.test(words)).length * 2 >= filled.length;
}
