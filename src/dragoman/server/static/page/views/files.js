// Files in and out of the page.

import { fetchFile } from "../api.js";
import { button, element } from "../dom.js";

const KEPT_MS = 60_000; // a browser may still read what it was told to save

/** A place for files. The whole view takes what is dropped, so that nobody has to aim. */
export class DropZone {
  /** `title` and `choose` are phrases, `hint` an element below them; `taken(files)` is called with an array. */
  constructor(section, { title, choose, hint, multiple = false, taken }) {
    this.taken = taken;
    this.input = element("input", { type: "file", multiple, hidden: true, on: { change: () => this.#chosen() } });
    this.button = button(choose, () => this.choose(), { className: "primary" });
    this.node = element("div", { className: "drop" },
      element("p", { className: "title", words: { text: title } }), this.button, hint, this.input);
    section.addEventListener("dragover", (event) => this.#over(event));
    section.addEventListener("dragleave", (event) => section.contains(event.relatedTarget) || this.#leave());
    section.addEventListener("drop", (event) => this.#drop(event));
  }

  /** Open the browser's own dialog. */
  choose() {
    this.input.click();
  }

  #chosen() {
    const files = [...this.input.files];
    this.input.value = ""; // so that the same file can be chosen again
    if (files.length) this.taken(files);
  }

  #over(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.node.classList.add("over");
  }

  #leave() {
    this.node.classList.remove("over");
  }

  #drop(event) {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    this.#leave();
    const files = [...event.dataTransfer.files];
    this.taken(this.input.multiple ? files : files.slice(0, 1));
  }
}

/** Fetch a file and have the browser save it, as `filename` or else as the server calls it. Throws as `request`. */
export async function download(path, { filename, headers } = {}) {
  const file = await fetchFile(path, { headers });
  const address = URL.createObjectURL(file.blob);
  element("a", { href: address, download: filename ?? file.filename }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}
