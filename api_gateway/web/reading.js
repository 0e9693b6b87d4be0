// One file on its way: sent, read page by page, or handed in as a job. Pages are kept as the server's own bytes.
import { ApiError, Unreachable, call, form, json, lost } from "./api.js";
import { lines, parsed } from "./ndjson.js";
import { patient } from "./patience.js";
import { drawPreviews } from "./previews.js";

const FRESH = 4; // pages that are also kept as objects: the first words are shown at once
let last = 0;

export class Reading extends EventTarget {
  // States: waiting, reading, busy, offline, key, job, done, failed.
  constructor({ file = null, name, kind = {}, query = {}, job = null }) {
    super();
    Object.assign(this, { file, name, kind, query, job, id: ++last });
    this.password = "";
    this.pages = new Map(); // by number
    this.fresh = new Map(); // the newest pages, whole, by number
    this.url = kind.shown ? URL.createObjectURL(file) : null;
    this.#reset("waiting");
    if (this.url) this.#peek();
  }

  #reset(state) {
    Object.assign(this, { state, total: null, received: 0, failed: 0, words: 0, totals: null, error: null, wait: 0 });
    this.began = performance.now();
    this.control = new AbortController();
  }

  // The picture is there before its words are.
  async #peek() {
    const image = new Image();
    image.src = this.url;
    await image.decode().catch(() => {});
    const { naturalWidth: width, naturalHeight: height } = image;
    if (width && !this.pages.has(1) && !this.control.signal.aborted) this.preview(1, { width, height });
  }

  // A page as the server sent it, with its words.
  async whole(entry) {
    return this.fresh.get(entry.number) ?? JSON.parse(await entry.line.text());
  }

  get sorted() {
    this.order ??= [...this.pages.values()].sort((a, b) => a.number - b.number);
    return this.order;
  }

  get active() {
    return !["done", "failed"].includes(this.state);
  }

  async read() {
    const { signal } = this.control;
    if (signal.aborted) return;
    if (this.file && !this.kind.shown && !this.drawn) drawPreviews(this, signal);
    await this.#carefully(() => this.#attempt(signal), signal);
  }

  // `reading` of a job's result, which is there.
  async open() {
    this.#reset("reading");
    if (this.file && !this.kind.shown && !this.drawn) drawPreviews(this, this.control.signal);
    const { signal } = this.control;
    await this.#carefully(() => this.#pages(`gateway/jobs/${this.job}/result`, { signal }), signal);
  }

  async submit() {
    const { signal } = this.control;
    const random = crypto.getRandomValues(new Uint8Array(16));
    const headers = { "idempotency-key": [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
    let job = null;
    await this.#carefully(async () => {
      this.#to("reading");
      const body = form(this.file, this.password);
      job = await json("gateway/jobs", { method: "POST", query: this.query, body, headers, signal });
      this.job = job.id;
    }, signal, "job");
    return job;
  }

  // What the server says of the job.
  follow(job) {
    this.total = job.pages_total;
    this.received = job.pages_done;
    this.failed = job.pages_failed;
    this.#to("job");
  }

  fail(error) {
    this.error = error;
    this.#to("failed");
  }

  again(query = this.query, password = this.password) {
    this.control.abort();
    this.query = query;
    this.password = password;
    this.job = null;
    this.#clear();
    this.#reset("waiting");
    this.#to("waiting");
  }

  close() {
    this.control.abort();
    if (this.url) URL.revokeObjectURL(this.url);
    this.pages.clear();
    this.fresh.clear();
  }

  preview(number, found) {
    Object.assign(this.#page(number), found);
    this.#changed(number);
  }

  async #carefully(attempt, signal, then = "done") {
    const onWait = (state, seconds = 0, code = "") => {
      this.wait = seconds;
      this.waitCode = code;
      this.#to(state);
    };
    try {
      await patient(attempt, { signal, onWait, onResume: () => this.#to("reading") });
      this.#to(then);
    } catch (error) {
      if (!signal.aborted) this.fail(error.name === "AbortError" ? new ApiError("unauthorized", 401) : error);
    }
  }

  #attempt(signal) {
    this.began = performance.now();
    const body = form(this.file, this.password);
    return this.#pages("gateway/ocr", { method: "POST", query: this.query, body, signal });
  }

  async #pages(path, options) {
    Object.assign(this, { received: 0, failed: 0, words: 0, totals: null });
    this.#to("reading");
    const answer = await call(path, { ...options, query: { ...options.query, format: "ndjson" } });
    this.total = Number(answer.headers.get("x-pages-total")) || this.total;
    try {
      for await (const line of lines(answer)) this.#line(line);
    } catch (error) {
      throw lost(error, options.signal);
    }
    if (!this.totals) throw new Unreachable("the answer is not complete");
  }

  #line(line) {
    const page = parsed(line);
    if (!("page" in page)) {
      this.totals = page;
      return;
    }
    const { text, words } = page;
    this.fresh.set(page.page, page);
    if (this.fresh.size > FRESH) this.fresh.delete(this.fresh.keys().next().value);
    const entry = this.#page(page.page);
    this.received++;
    this.words += words.length;
    if (page.status === "failed") this.failed++;
    Object.assign(entry, {
      status: page.status, rotation: page.rotation, skew: page.skew, code: page.code, detail: page.detail,
      warnings: page.warnings, confidence: page.confidence, line: new Blob([line]), text: new Blob([text]),
      width: page.width ?? entry.width, height: page.height ?? entry.height,
    });
    this.#changed(page.page);
    this.dispatchEvent(new Event("state"));
  }

  #page(number) {
    if (!this.pages.has(number)) {
      this.pages.set(number, { number, status: "reading" });
      this.order = null;
    }
    return this.pages.get(number);
  }

  #clear() {
    for (const page of this.pages.values()) {
      if (page.preview || this.url) Object.assign(page, { status: "reading", line: null, text: null });
      else this.pages.delete(page.number);
    }
    this.order = null;
    this.fresh.clear();
    this.dispatchEvent(new CustomEvent("pages", { detail: null }));
  }

  #changed(number) {
    this.dispatchEvent(new CustomEvent("pages", { detail: number }));
  }

  #to(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
