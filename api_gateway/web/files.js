// The list of files with the progress of each, and the words for a file's state.
import { h } from "./dom.js";
import { inWords } from "./errors.js";
import { t } from "./i18n.js";

export function stateInWords(reading) {
  const { state, received, total, failed, words, wait, error } = reading;
  if (state === "busy") return t("state.busy", { count: wait });
  if (state === "failed") return inWords(error, error.values).what;
  if (state === "done" && failed) return t("state.partial", { failed, count: received });
  if (state === "done") return t("state.done", { count: words });
  if (state === "job") return total ? t("state.pages", { received, total }) : t("state.job");
  if (state === "reading" && total > 1) return t("state.pages", { received, total });
  if (state === "reading" && received) return t("state.some", { count: received });
  return t(`state.${state}`);
}

export function progressOf(reading, bar) {
  bar.hidden = !reading.active;
  if (reading.total) Object.assign(bar, { max: reading.total, value: reading.received });
  else bar.removeAttribute("value");
  bar.setAttribute("aria-label", t("progress", { name: reading.name }));
}

export class FileList {
  constructor(element, { onSelect, onRemove }) {
    Object.assign(this, { element, onSelect, onRemove });
    this.list = element.querySelector("ul");
    this.items = new Map();
  }

  add(reading) {
    const state = h("span", { class: "small" });
    const bar = h("progress");
    const select = h("button", { type: "button", class: "file", onclick: () => this.onSelect(reading) },
      h("span", { class: "name" }, reading.name), state);
    const remove = h("button", { type: "button", class: "quiet remove", onclick: () => this.#remove(reading) }, "×");
    const item = h("li", {}, select, remove, bar);
    const update = () => {
      state.textContent = stateInWords(reading);
      item.dataset.state = reading.state === "done" && reading.failed ? "partial" : reading.state;
      remove.setAttribute("aria-label", t("files.remove", { name: reading.name }));
      progressOf(reading, bar);
    };
    reading.addEventListener("state", update);
    update();
    this.items.set(reading, { item, select, update });
    this.list.append(item);
    this.element.hidden = false;
  }

  mark(reading) {
    for (const [other, { select }] of this.items) {
      if (other === reading) select.setAttribute("aria-current", "true");
      else select.removeAttribute("aria-current");
    }
  }

  update() {
    for (const { update } of this.items.values()) update();
  }

  #remove(reading) {
    const after = [...this.items.keys()].filter((other) => other !== reading);
    this.items.get(reading).item.remove();
    this.items.delete(reading);
    this.element.hidden = !after.length;
    this.onRemove(reading, after[after.length - 1] ?? null);
  }
}
