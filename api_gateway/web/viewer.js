// What is shown of the file that is selected: its state, what can be done with it, and its pages.
import { announce, h } from "./dom.js";
import { HERE, THERE, save, wholeText } from "./download.js";
import { inWords } from "./errors.js";
import { progressOf, stateInWords } from "./files.js";
import { upright } from "./geometry.js";
import { size, t } from "./i18n.js";
import { PageList } from "./pages.js";
import { makeRow } from "./row.js";

const SIDE_BY_SIDE = matchMedia("(min-width: 760px)"); // as in pages.css
const HEAD = 44;

export class Viewer {
  constructor(element, { onAgain }) {
    Object.assign(this, { element, onAgain });
  }

  show(reading) {
    this.list?.close();
    this.stop?.abort();
    this.stop = new AbortController();
    this.reading = reading;
    this.element.hidden = !reading;
    if (!reading) return this.element.replaceChildren();
    const pages = h("div", { class: "pages" });
    this.state = h("span", { class: "state" });
    this.bar = h("progress");
    this.problem = h("div", { class: "problem", hidden: true });
    this.tools = h("div", { class: "buttons", role: "group", "aria-label": t("tools.label") });
    this.element.replaceChildren(
      h("header", { class: "about" },
        h("div", {}, h("h2", {}, reading.name), h("p", { class: "small" }, reading.file ? `${size(reading.file.size)} · ` : "", this.state)),
        this.tools, this.bar),
      this.problem, this.#legend(), pages);
    this.list = new PageList(pages, {
      keyOf: (index) => reading.sorted[index].number,
      estimate: (index) => this.#height(reading.sorted[index], pages.clientWidth),
      make: (index) => makeRow(reading, reading.sorted[index]),
    });
    const { signal } = this.stop;
    reading.addEventListener("state", () => this.#update(), { signal });
    reading.addEventListener("pages", ({ detail }) => this.#pages(detail), { signal });
    this.#pages(null);
    this.#update();
  }

  #pages(number) {
    this.list.count = this.reading.sorted.length;
    if (number === null) for (const key of [...this.list.rows.keys()]) this.list.renew(key);
    else this.list.renew(number);
    if (this.list.rows.size < 2) this.list.draw();
  }

  #height({ width = 210, height = 297, rotation, skew }, whole) {
    const shape = upright({ width, height, rotation, skew });
    const column = SIDE_BY_SIDE.matches ? (whole - 24) / 2 : whole;
    const high = (Math.min(column, Math.max(280, shape.width * 2)) * shape.height) / shape.width;
    return HEAD + (SIDE_BY_SIDE.matches ? Math.max(192, high) : high + 240);
  }

  #update() {
    const { reading } = this;
    const said = stateInWords(reading);
    this.state.textContent = said;
    this.element.setAttribute("aria-busy", String(reading.active));
    this.element.dataset.state = reading.state;
    progressOf(reading, this.bar);
    if (reading.state !== "reading" || reading.received % 10 === 0) announce(`${reading.name}: ${said}`);
    if (this.drawn !== `${reading.id} ${reading.state}`) {
      this.drawn = `${reading.id} ${reading.state}`;
      this.#problem(reading);
      this.#tools(reading);
    }
  }

  #problem({ state, error, name }) {
    this.problem.hidden = state !== "failed";
    if (state !== "failed") return;
    const { what, todo } = inWords(error, error.values);
    const parts = [h("h3", {}, what), h("p", {}, todo)];
    if (["password_required", "wrong_password"].includes(error.code)) parts.push(this.#password(error.code, name));
    this.problem.replaceChildren(...parts);
  }

  #password(code, name) {
    const input = h("input", { type: "password", autocomplete: "off", required: true });
    const enter = (event) => {
      event.preventDefault();
      this.onAgain(this.reading, this.reading.query, input.value);
    };
    return h("form", { class: "password", onsubmit: enter },
      h("label", {}, h("span", {}, t("password.label", { name })), input), h("button", { class: "main" }, t("password.ok")));
  }

  #tools(reading) {
    const done = reading.state === "done";
    const button = (text, onclick, properties = {}) => h("button", { type: "button", onclick, ...properties }, text);
    const copy = button(t("copy"), async () => {
      await copied((await wholeText(reading)).replaceAll("\f", "\n"));
      copy.textContent = t("copied");
      announce(t("copied"));
      setTimeout(() => (copy.textContent = t("copy")), 2000);
    });
    const parts = done ? [copy, this.#menu(reading)] : [];
    if (!reading.active && reading.file) parts.push(button(t("again"), () => this.onAgain(reading)));
    this.tools.replaceChildren(...parts);
  }

  #menu(reading) {
    const said = h("p", { class: "small", role: "status" });
    const entry = (format) => h("button", {
      type: "button",
      onclick: async () => {
        said.textContent = THERE.includes(format) ? t("save.wait") : "";
        try {
          await save(reading, format);
          said.textContent = "";
          menu.open = false;
        } catch (error) {
          said.textContent = inWords(error).what;
        }
      },
    }, t(`format.${format}`));
    const there = reading.file || reading.job ? [h("p", { class: "small" }, t(reading.job ? "save.job" : "save.there")), ...THERE.map(entry)] : [];
    const menu = h("details", { class: "menu" }, h("summary", {}, t("save")), h("div", {}, ...HERE.map(entry), ...there, said));
    menu.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") {
        menu.open = false;
        menu.firstChild.focus();
      }
    });
    return menu;
  }

  #legend() {
    const kinds = ["sure", "fair", "unsure"].map((name) => h("li", { class: name }, t(`legend.${name}`)));
    return h("ul", { class: "legend small", "aria-label": t("legend") }, ...kinds);
  }
}

async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "unseen" }); // without HTTPS there is no clipboard object
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
