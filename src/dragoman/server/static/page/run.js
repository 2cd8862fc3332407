// One translation on its way: its events go to the sheet, and a word is said when the engine keeps silent.

import { ConnectionProblem, Problem, events } from "./api.js";

const SILENCE_MS = 4000;

/**
 * Ask for `body` and write what comes on `sheet`; resolves to what `item.done` told. `started(data)`, `slow()`, `word()`
 * and `progressed()` tell how it goes. Throws Problem, ConnectionProblem, and AbortError where `signal` ended it.
 */
export async function follow(body, { sheet, signal, started, slow, word, progressed }) {
  let silence = setTimeout(slow, SILENCE_MS);
  let whole;
  const takers = {
    "item.started": (data) => { sheet.start(data); started(data); },
    "segment.started": (data) => sheet.startSentence(data),
    "segment.delta": (data) => sheet.write(data),
    "segment.replaced": (data) => sheet.replace(data),
    "segment.done": (data) => { sheet.finishSentence(data); progressed(); },
    "item.done": (data) => { sheet.finish(data); whole = data.translation; },
    "item.failed": ({ error }) => { throw new Problem(error); },
    error: (data) => { throw new Problem(data); },
    done: () => {},
  };
  try {
    for await (const { event, data } of events("POST", "/v1/translate", { json: { ...body, stream: true }, signal })) {
      clearTimeout(silence);
      silence = setTimeout(slow, SILENCE_MS);
      if (event.startsWith("segment.")) word(data);
      takers[event](data);
    }
  } finally {
    clearTimeout(silence);
  }
  if (!whole) throw new ConnectionProblem("cut");
  return whole;
}
