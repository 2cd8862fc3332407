// Asking before something is gone.

import { dialog } from "../dialogs.js";
import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";

/** Whether the reader wants what `action` says. `why` is a phrase with `values` that says what it comes to. */
export function confirmed(action, why, values = {}) {
  const { promise, resolve } = answer();
  const reason = element("p");
  phrase(reason, why, values);
  const box = dialog(action, "middle", reason, element("div", { className: "actions" },
    button(action, () => { resolve(true); box.close(); }, { className: "danger" }),
    button("confirm.back", () => box.close(), { className: "quiet" })));
  box.addEventListener("close", () => { resolve(false); box.remove(); });
  document.body.append(box);
  box.showModal();
  return promise;
}

/** Promise.withResolvers, which not every browser has yet. */
function answer() {
  let resolve;
  const promise = new Promise((settle) => { resolve = settle; });
  return { promise, resolve };
}
