// Tables with separators: CSV as shops and spreadsheets save it, and what is copied out of one.

const SEPARATORS = [",", ";", "\t", "|"];

/** The text that a file's bytes are: UTF-16 where they begin with its mark, else UTF-8. */
export function decoded(bytes) {
  const mark = bytes[0] * 256 + bytes[1];
  const coding = { 0xfffe: "utf-16le", 0xfeff: "utf-16be" }[mark] ?? "utf-8";
  return new TextDecoder(coding).decode(bytes);
}

/** The separator that makes the most columns of the first line. */
export function separatorOf(text) {
  const [line] = text.replace(/"[^"]*"/g, "").trimStart().split(/[\r\n]/, 1);
  const counts = SEPARATORS.map((separator) => line.split(separator).length);
  return SEPARATORS[counts.indexOf(Math.max(...counts))];
}

/** The first rows of a table, each a list of its cells (RFC 4180); lines without any are left out. */
export function parsed(text, separator, most = Infinity) {
  const cell = new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|)([^\\${separator}\\r\\n]*)(\\${separator}|\\r\\n|\\r|\\n|$)`, "y");
  const rows = [];
  let row = [];
  while (cell.lastIndex < text.length && rows.length < most) {
    const [, quoted, plain, end] = cell.exec(text);
    row.push((quoted ?? "").replaceAll('""', '"') + plain);
    if (end === separator && cell.lastIndex < text.length) continue;
    if (row.some((words) => words.trim())) rows.push(row);
    row = [];
  }
  return rows;
}
