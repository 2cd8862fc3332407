// Jobs: a table on the left page, what became of the tables so far on the right one.

import { ConnectionProblem, Problem, events, fetchJson } from "../api.js";
import { element } from "../dom.js";
import { phrase } from "../i18n.js";
import { DropZone } from "./files.js";
import { JobForm } from "./job_form.js";
import { JobRow, isOver } from "./job_row.js";
import { whenShown } from "./shown.js";
import { Trouble } from "./trouble.js";

/** Each takes a connection, and a browser has six to a server (HTTP/1.1). */
const MOST_FOLLOWED = 3;

class JobsView {
  constructor(section) {
    this.rows = new Map();
    this.followed = new Set();
    this.trouble = new Trouble();
    this.formTrouble = new Trouble();
    this.zone = new DropZone(section, {
      title: "jobs.drop", choose: "jobs.choose", hint: element("p", { className: "caption", words: { text: "jobs.kinds" } }),
      taken: ([file]) => this.#take(file),
    });
    this.form = element("div");
    this.list = element("ol", { className: "tasks", words: { "aria-label": "jobs.list" } });
    this.none = element("p", { className: "empty", hidden: true, words: { text: "jobs.empty" } });
    this.news = element("p", { className: "visually-hidden", role: "status" });
    this.left = element("div", { className: "leaf" }, this.formTrouble.node, this.zone.node, this.form);
    section.append(
      element("h1", { className: "visually-hidden", words: { text: "view.jobs" } }),
      element("div", { className: "facing" }, this.left,
        element("div", { className: "leaf" }, this.trouble.node, this.none, this.list, this.news)));
    whenShown("jobs", (signal) => this.#come(signal));
  }

  /** What the keyboard does here. */
  get shortcuts() {
    return [{ keys: ["Ctrl", "O"], does: "jobs.choose", run: () => this.zone.choose() }];
  }

  #come(signal) {
    this.here = signal;
    this.followed = new Set();
    this.#load();
  }

  #load() {
    return this.trouble.attempt(async () => {
      try {
        const { jobs } = await fetchJson("GET", "/v1/jobs", { signal: this.here });
        this.#draw(jobs);
      } catch (error) {
        if (![404, 501].includes(error.status)) throw error;
        this.#showNotOffered();
      }
    });
  }

  /** This server takes no jobs: the page says so, and asks for nothing. */
  #showNotOffered() {
    this.left.hidden = true;
    this.none.hidden = false;
    phrase(this.none, "jobs.not_offered");
  }

  #draw(jobs) {
    const old = this.rows;
    this.rows = new Map(jobs.map((job) => [job.id, old.get(job.id) ?? this.#row()]));
    for (const job of jobs) this.rows.get(job.id).show(job);
    this.#place();
    this.#follow();
  }

  #row() {
    return new JobRow({
      attempt: (work) => this.trouble.attempt(work),
      changed: () => this.#follow(),
      removed: (row) => this.#remove(row),
    });
  }

  /** Rows stay where they are while nothing comes or goes, so that the focus stays too. */
  #place() {
    const nodes = [...this.rows.values()].map(({ node }) => node);
    const stands = [...this.list.children];
    if (nodes.length !== stands.length || nodes.some((node, at) => node !== stands[at])) this.list.replaceChildren(...nodes);
    this.none.hidden = nodes.length > 0;
  }

  #remove({ job }) {
    const ids = [...this.rows.keys()];
    const next = this.rows.get(ids[ids.indexOf(job.id) + 1] ?? ids[ids.indexOf(job.id) - 1]);
    this.rows.delete(job.id);
    this.#place();
    this.#follow();
    (next?.node.querySelector("button:not([hidden])") ?? this.zone.button).focus();
  }

  /** Follow those that are worked on, and then those that wait, the longest waiting first. */
  #follow() {
    const unfinished = [...this.rows.values()].map(({ job }) => job).filter((job) => !isOver(job)).reverse();
    const first = unfinished.sort((one, other) => (other.state === "running") - (one.state === "running"));
    for (const { id } of first.slice(0, MOST_FOLLOWED)) {
      if (!this.followed.has(id)) this.#followOne(id, this.here);
    }
  }

  async #followOne(id, signal) {
    const { followed } = this; // those of this visit
    followed.add(id);
    try {
      await this.#hear(id, signal);
      followed.delete(id);
      this.#load(); // another job has its turn now
    } catch (error) {
      followed.delete(id);
      this.trouble.tell(error, () => this.#load());
    }
  }

  async #hear(id, signal) {
    for await (const { event, data } of events("GET", `/v1/jobs/${id}/events`, { signal })) {
      if (event === "error") throw new Problem(data);
      const row = this.rows.get(id);
      row?.show(data);
      if (event !== "end") continue;
      phrase(this.news, `jobs.news.${data.state}`, { name: data.filename });
      return;
    }
    throw new ConnectionProblem("cut");
  }

  #take(file) {
    const form = new JobForm(file, {
      attempt: (work) => this.formTrouble.attempt(work),
      left: () => this.#closeForm(),
      started: () => { this.#closeForm(); this.#load(); },
    });
    this.zone.node.hidden = true;
    this.form.replaceChildren(form.node);
    this.formTrouble.attempt(() => form.open());
  }

  #closeForm() {
    this.formTrouble.clear();
    this.form.replaceChildren();
    this.zone.node.hidden = false;
    this.zone.button.focus();
  }
}

/** Build the view into its section; returns it, with its `shortcuts`. */
export function mount(section) {
  return new JobsView(section);
}
