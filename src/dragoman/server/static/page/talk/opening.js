// Opening a conversation and inviting people to it.

import { fetchJson } from "../api.js";
import { dialog } from "../dialogs.js";
import { button, element } from "../dom.js";
import { phrase, t } from "../i18n.js";
import { optionOf } from "../options.js";
import { GlossaryChoice, fieldOf } from "../views/choices.js";
import { Trouble } from "../views/trouble.js";
import { LanguageChoice } from "./introduction.js";

const PATH = "/v1/conversations";
const HOUR_S = 3600;
const LIVES_S = { "talk.hour": HOUR_S, "talk.day": 24 * HOUR_S, "talk.week": 7 * 24 * HOUR_S };
const MOST_CHARACTERS = 80;

/** Ask in a dialog for a new conversation; `opened(shown, me)` is called with what the server made of it, and with who
 * the owner is. */
export function askForNew(me, opened) {
  const title = textInput("", { maxLength: 200 });
  const name = textInput(me.name, { required: true, autocomplete: "name" });
  const language = new LanguageChoice(me.language);
  const glossary = new GlossaryChoice();
  const tone = selectOf({ "options.formality_plain": "", "options.formality_more": "prefer_more", "options.formality_less": "prefer_less" });
  const lives = selectOf(LIVES_S);
  lives.value = LIVES_S["talk.day"];
  ask("talk.start", "talk.open",
    [
      fieldOf("talk.title", title), fieldOf("talk.name", name), fieldOf("talk.language", language.select),
      fieldOf("options.formality", tone), glossary.node, fieldOf("talk.lives", lives),
    ],
    async (box) => {
      const wanted = {
        title: title.value.trim(), ttl_s: Number(lives.value),
        ...(glossary.value && { glossary: glossary.value }), ...(tone.value && { formality: tone.value }),
      };
      const shown = await fetchJson("POST", PATH, { json: wanted });
      box.close();
      opened(shown, { name: name.value.trim(), language: language.value });
    });
  glossary.offer();
}

/** Ask in a dialog whom to invite, and show the link for them. */
export function invite(room) {
  const name = textInput("");
  const language = new LanguageChoice("", "talk.they_say");
  const form = ask("talk.invite", "talk.make_link",
    [
      element("p", { className: "caption", words: { text: "talk.invite_why" } }),
      fieldOf("talk.their_name", name), fieldOf("talk.their_language", language.select),
    ],
    async () => {
      const known = { ...(name.value.trim() && { name: name.value.trim() }), ...(language.value && { language: language.value }) };
      const { path } = await fetchJson("POST", `${PATH}/${encodeURIComponent(room)}/invitations`, { json: known });
      const query = new URLSearchParams(known).toString();
      form.replaceWith(linkNode(new URL(path + (query && `?${query}`), location.href).href));
    });
}

/** A link to copy, and to share where the browser can. */
function linkNode(link) {
  const field = element("input", { type: "text", readOnly: true, value: link, dir: "ltr", on: { focus: () => field.select() } });
  const copy = button("translate.copy", async () => {
    await copyFrom(field);
    phrase(copy, "translate.copied");
  }, { className: "primary" });
  const share = button("talk.share", () => shareLink(link), { hidden: !navigator.share });
  return element("div", { className: "link" },
    fieldOf("talk.link", field), element("p", { className: "caption", words: { text: "talk.link_once" } }),
    element("div", { className: "actions" }, copy, share));
}

async function shareLink(url) {
  try {
    await navigator.share({ title: t("talk.invitation"), url });
  } catch (error) {
    if (error.name !== "AbortError") throw error; // the reader thought better of it
  }
}

/** The clipboard is there on encrypted pages only. */
async function copyFrom(field) {
  if (navigator.clipboard) return navigator.clipboard.writeText(field.value);
  field.select();
  return document.execCommand("copy");
}

/** A dialog with a form; `done(box)` does what it is for, and what goes wrong is shown. The form. */
function ask(title, act, fields, done) {
  const trouble = new Trouble();
  const submit = (event) => {
    event.preventDefault();
    trouble.attempt(() => done(box));
  };
  const form = element("form", { className: "opening", on: { submit } }, ...fields, trouble.node,
    element("div", { className: "actions" }, element("button", { type: "submit", className: "primary", words: { text: act } })));
  const box = dialog(title, "middle", form);
  box.addEventListener("close", () => { trouble.clear(); box.remove(); });
  document.body.append(box);
  box.showModal();
  form.querySelector("input").focus();
  return form;
}

function textInput(value, properties = {}) {
  return element("input", { type: "text", autocomplete: "off", maxLength: MOST_CHARACTERS, value, ...properties });
}

function selectOf(choices) {
  return element("select", {}, ...Object.entries(choices).map(([key, value]) => optionOf(String(value), key)));
}
