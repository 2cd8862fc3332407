// One job: how far it is, what came of its rows, and what can be done with it.

import { fetchJson, request } from "../api.js";
import { button, element } from "../dom.js";
import { phrase } from "../i18n.js";
import { Bar } from "./bar.js";
import { confirmed } from "./confirm.js";
import { download } from "./files.js";
import { duration, languages, listed, moment, percent } from "./values.js";

const FORMATS = { csv: "CSV", jsonl: "JSON Lines", parquet: "Parquet", tmx: "TMX" };
const RESUMABLE = ["paused", "failed", "cancelled"];

/** Whether nothing happens to a job until somebody asks. */
export function isOver({ state }) {
  return state !== "planned" && state !== "running";
}

export class JobRow {
  /** Of the reports, `changed()` says that it goes on, `removed(row)` that it is gone; `attempt(work)` does what may go
   * wrong. */
  constructor(reports) {
    this.reports = reports;
    this.name = element("span", { className: "name", dir: "auto" });
    this.caption = element("span", { className: "caption" });
    this.story = element("p", { className: "caption" });
    this.reason = element("p", { className: "reason", lang: "en", dir: "ltr" });
    this.bar = new Bar("jobs.progress_label");
    this.facts = element("dl", { className: "facts" });
    this.downloads = element("div", { className: "downloads" });
    this.node = element("li", { className: "task" },
      element("div", { className: "task-head" },
        element("div", { className: "task-what" }, this.name, this.caption, this.story), this.#makeActs()),
      this.bar.node, this.facts, this.reason, this.downloads);
  }

  #makeActs() {
    this.resuming = button("jobs.resume", () => this.#ask("resume"));
    this.retrying = button("jobs.retry", () => this.#ask("retry-failed"));
    this.cancelling = button("jobs.cancel", () => this.#cancel(), { className: "quiet" });
    this.deleting = button("jobs.delete", () => this.#delete(), { className: "quiet" });
    return element("div", { className: "task-acts" }, this.resuming, this.retrying, this.cancelling, this.deleting);
  }

  /** Show a job as the server tells of it. */
  show(job) {
    const before = this.job;
    this.job = job;
    this.node.dataset.state = job.state;
    this.name.textContent = job.filename;
    phrase(this.caption, "jobs.what", { columns: listed(job.columns), targets: languages(job.targets) });
    this.reason.textContent = job.reason;
    this.#showStory();
    this.bar.show(sharesOf(job));
    this.bar.node.hidden = job.state === "done" && !job.error;
    this.facts.replaceChildren(...factsOf(job));
    this.#offerActs();
    if (before?.state !== job.state) this.#offerDownloads();
  }

  get #path() {
    return `/v1/jobs/${this.job.id}`;
  }

  #showStory() {
    const { state, seconds_remaining: seconds, finished_at: at } = this.job;
    if (state === "running" && seconds !== undefined) phrase(this.story, "jobs.time_left", { time: duration(seconds) });
    else if (state === "done" && at) phrase(this.story, "jobs.done_at", { time: moment(at) });
    else phrase(this.story, `jobs.state.${state}`);
  }

  #offerActs() {
    const over = isOver(this.job);
    this.resuming.hidden = !RESUMABLE.includes(this.job.state);
    this.retrying.hidden = !over || !this.job.error;
    this.cancelling.hidden = over;
    this.deleting.hidden = !over;
    for (const [node, key] of [[this.cancelling, "jobs.cancel_named"], [this.deleting, "jobs.delete_named"]]) {
      phrase(node, key, { name: this.job.filename }, "aria-label");
    }
  }

  #offerDownloads() {
    const isPartial = this.job.state !== "done";
    this.downloads.hidden = isPartial && !(isOver(this.job) && this.job.done);
    const label = element("span", { className: "caption", words: { text: isPartial ? "jobs.download_partial" : "files.download" } });
    this.downloads.replaceChildren(label, ...Object.keys(FORMATS).map((format) => this.#downloadButton(format, isPartial)));
  }

  #downloadButton(format, isPartial) {
    const path = `${this.#path}/result?format=${format}${isPartial ? "&partial=true" : ""}`;
    const made = button("", () => this.#download(made, path), { className: "link" });
    phrase(made, "jobs.format", { format: FORMATS[format] });
    phrase(made, "files.download_named", { name: `${this.job.filename}, ${FORMATS[format]}` }, "aria-label");
    return made;
  }

  #download(pressed, path) {
    return this.reports.attempt(async () => {
      pressed.disabled = true;
      await download(path).finally(() => { pressed.disabled = false; });
      pressed.focus();
    });
  }

  #ask(what) {
    return this.reports.attempt(async () => {
      this.show(await fetchJson("POST", `${this.#path}/${what}`));
      this.reports.changed();
    });
  }

  async #cancel() {
    if (await confirmed("jobs.cancel", "jobs.cancel_why", { name: this.job.filename })) await this.#ask("cancel");
  }

  async #delete() {
    if (!(await confirmed("jobs.delete", "jobs.delete_why", { name: this.job.filename }))) return;
    await this.reports.attempt(async () => {
      await request("DELETE", this.#path);
      this.reports.removed(this);
    });
  }
}

/** The kinds of rows that are written, and then what is translated of rows that are not. */
function sharesOf({ ok, passthrough, error, done, rows, cells, cells_total: cellsTotal }) {
  if (!rows) return [0];
  const ahead = Math.max(0, cells / cellsTotal - done / rows);
  return [ok / rows, passthrough / rows, error / rows, ahead];
}

/** What is to be said in numbers: of kinds of rows only those that there are. */
function factsOf(job) {
  const { rows, done, ok, passthrough, error, remembered, rate_rows_per_s: rate } = job;
  const counts = [["ok", ok], ["passthrough", passthrough], ["error", error]].filter(([, count]) => count);
  return [
    factOf("rows", "jobs.rows_of", { done, rows }),
    ...counts.map(([name, count]) => factOf(name, "number", { count })),
    ...(isOver(job) ? [] : [factOf("texts", "jobs.rows_of", { done: job.cells, rows: job.cells_total })]),
    ...(remembered ? [factOf("remembered", "jobs.share", { share: percent(remembered) })] : []),
    ...(rate ? [factOf("rate", "jobs.per_second", { rate: rate < 10 ? rate : Math.round(rate) })] : []),
  ];
}

function factOf(name, key, values) {
  const value = element("dd");
  phrase(value, key, values);
  return element("div", { className: `fact ${name}` }, element("dt", { words: { text: `jobs.fact.${name}` } }), value);
}
