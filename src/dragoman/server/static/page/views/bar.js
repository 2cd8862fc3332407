// A bar that says how far something is.

import { element } from "../dom.js";

export class Bar {
  /** `label` is a phrase. */
  constructor(label) {
    this.node = element("div", { className: "gauge", role: "progressbar", words: { "aria-label": label } });
  }

  /** Fill it with `shares` of 0 to 1, one behind the other; with none it says that something happens, not how far. */
  show(shares) {
    this.node.replaceChildren(...shares.map(partOf));
    this.node.classList.toggle("seeking", !shares.length);
    const filled = shares.reduce((sum, share) => sum + share, 0);
    if (shares.length) this.node.setAttribute("aria-valuenow", Math.round(100 * filled));
    else this.node.removeAttribute("aria-valuenow");
  }
}

function partOf(share) {
  const part = element("span");
  part.style.setProperty("--share", share);
  return part;
}
