// This browser's jobs: their ids and names are kept here, their states come from the server.
import { call, json } from "./api.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { inWords } from "./errors.js";

const STORED = "ocr.jobs";
const MOST = 100;
const FINAL = ["complete", "partial", "failed", "cancelled", "removed"];
const EVERY_MILLISECONDS = 1000;

export class Jobs {
  constructor(element, { onOpen, onChange }) {
    Object.assign(this, { element, onOpen, onChange });
    this.list = element.querySelector("ul");
    this.entries = [];
    try {
      this.entries = JSON.parse(localStorage.getItem(STORED)) ?? [];
    } catch {
      // what was kept cannot be read
    }
    document.addEventListener("visibilitychange", () => this.watch());
  }

  add(job, name) {
    this.entries.unshift({ id: job.id, name, job });
    this.entries.length = Math.min(this.entries.length, MOST);
    this.#keep();
    this.draw();
    this.watch();
  }

  // Asks for all states in one call, as long as any may change.
  async watch() {
    if (this.watching) return;
    this.watching = true;
    try {
      while (this.entries.some(({ job }) => !job || !FINAL.includes(job.status)) && !document.hidden) {
        await this.#ask().catch(() => {});
        this.draw();
        await new Promise((resolve) => setTimeout(resolve, EVERY_MILLISECONDS));
      }
    } finally {
      this.watching = false;
    }
  }

  async #ask() {
    const { jobs } = await json("gateway/jobs", { query: { limit: "100" } });
    const found = new Map(jobs.map((job) => [job.id, job]));
    for (const entry of this.entries) {
      if (FINAL.includes(entry.job?.status)) continue;
      const job = found.get(entry.id) ?? (await json(`gateway/jobs/${entry.id}`).catch(gone));
      if (!job) continue;
      entry.job = job;
      this.onChange(job);
    }
  }

  draw() {
    this.element.hidden = !this.entries.length;
    const signs = JSON.stringify(this.entries.map(({ id, job }) => [id, job?.status, job?.pages_done]));
    if (this.signs === signs + t("jobs.title")) return;
    this.signs = signs + t("jobs.title");
    this.list.replaceChildren(...this.entries.map((entry) => this.#item(entry)));
  }

  #item(entry) {
    const { name, job } = entry;
    const status = job?.status ?? "queued";
    const open = ["complete", "partial"].includes(status);
    const state = h("span", { class: "small" }, inStatus(job));
    const select = h("button", { type: "button", class: "file", disabled: !open, onclick: () => this.onOpen(entry) },
      h("span", { class: "name" }, name), state);
    const remove = h("button", { type: "button", class: "quiet remove", "aria-label": t("jobs.remove", { name }), onclick: () => this.#remove(entry) }, "×");
    return h("li", { "data-state": status }, select, remove);
  }

  async #remove(entry) {
    await call(`gateway/jobs/${entry.id}`, { method: "DELETE" }).catch((error) => {
      if (error.status !== 404) throw error;
    });
    if (entry.job && !FINAL.includes(entry.job.status)) { // it was cancelled; what is left of it goes too
      await call(`gateway/jobs/${entry.id}`, { method: "DELETE" }).catch(() => {});
    }
    this.entries = this.entries.filter((other) => other !== entry);
    this.#keep();
    this.draw();
  }

  #keep() {
    localStorage.setItem(STORED, JSON.stringify(this.entries.map(({ id, name }) => ({ id, name }))));
  }
}

const gone = (error) => (error.status === 404 ? { status: "removed" } : null);

function inStatus(job) {
  if (!job) return t("job.asked");
  if (job.status === "failed") return inWords(job).what;
  if (job.status === "running" && job.pages_total) return t("state.pages", { received: job.pages_done, total: job.pages_total });
  return t(`job.${job.status}`, { count: job.position ?? 0 });
}
