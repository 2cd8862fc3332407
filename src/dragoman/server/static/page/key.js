// Asking the reader for an API key where the server wants one.

import { apiKey, keepApiKey } from "./api.js";
import { dialog } from "./dialogs.js";
import { button, element } from "./dom.js";

/** Ask for a key and keep it in this browser; `given()` is called when the reader has given or forgotten one. */
export function askForKey(given) {
  const field = element("input", { type: "password", id: "api-key", autocomplete: "off", value: apiKey(), required: true });
  const save = (key) => {
    keepApiKey(key);
    box.close();
    given();
  };
  const form = element("form", { method: "dialog", on: { submit: (event) => { event.preventDefault(); save(field.value.trim()); } } },
    element("p", { words: { text: "key.why" } }),
    element("label", { for: "api-key", words: { text: "app.key" } }), field,
    element("p", { className: "caption", words: { text: "key.kept" } }),
    element("div", { className: "actions" },
      element("button", { type: "submit", className: "primary", words: { text: "key.save" } }),
      button("key.forget", () => save(""), { className: "quiet", hidden: !apiKey() })));
  const box = dialog("app.key", "middle", form);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  field.focus();
}
