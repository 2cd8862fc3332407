// Dialogs that lie over the page. The browser's own element keeps the focus inside and gives it back.

import { button, element, freshId } from "./dom.js";

/** A closed dialog with a heading, a button that closes it, and its content. */
export function dialog(title, className, ...content) {
  const id = freshId("title");
  const made = element("dialog", { className, "aria-labelledby": id },
    element("header", {},
      element("h2", { id, words: { text: title } }),
      button("app.close", () => made.close(), { className: "quiet" })),
    ...content);
  made.addEventListener("click", (event) => {
    if (event.target === made) made.close(); // its own box is the backdrop; all else is inside
  });
  return made;
}
