// How the next files are read. What is chosen is kept in this browser.
import { h } from "./dom.js";
import { has, languageName, t } from "./i18n.js";

const STORED = "ocr.options";
const MOST_LANGUAGES = 4;
const PSMS = ["3", "1", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"];

export class Options {
  // `offer` is the page's own, `known` the answer of GET /gateway/languages, or null until it is there.
  constructor(element, summary, offer) {
    Object.assign(this, { element, summary, offer, known: null });
    this.values = { engine: "", languages: [], psm: "3", pages: "", dpi: "", text_layer: "auto", orientation: "auto", job: false };
    try {
      Object.assign(this.values, JSON.parse(localStorage.getItem(STORED)));
    } catch {
      // what was kept cannot be read
    }
    this.values.pages = "";
    element.addEventListener("submit", (event) => event.preventDefault());
  }

  get asJob() {
    return this.offer.jobs && this.values.job;
  }

  // The query of a request; what is as the server has it is left out.
  get query() {
    const { engine, psm, pages, dpi, text_layer, orientation } = this.values;
    const plain = { psm: psm === "3" ? "" : psm, text_layer: text_layer === "auto" ? "" : text_layer };
    return { ...plain, engine, pages, dpi, languages: this.#languages(), orientation: orientation === "auto" ? "" : orientation };
  }

  #languages() {
    const there = this.values.languages.filter((name) => !this.known || this.known.languages.includes(name));
    return there.length ? there.join(",") : "auto";
  }

  draw() {
    const { engines = [], languages = [] } = this.known ?? {};
    const automatic = (name) => [["auto", t(`${name}.auto`)], [name === "text_layer" ? "ignore" : "off", t(`${name}.off`)]];
    this.element.replaceChildren(
      this.#select("engine", [["", t("engine.default")], ...engines.map((name) => [name, t(`engine.${name}`)])]),
      this.#checks(languages),
      this.#input("pages", { pattern: "[0-9 ,\\-]*", placeholder: "1-3,7" }),
      this.#input("dpi", { type: "number", min: "72", max: "600", placeholder: "300" }),
      this.#select("text_layer", automatic("text_layer")),
      this.#select("orientation", automatic("orientation")),
      this.#select("psm", PSMS.map((mode) => [mode, t(`psm.${mode}`)])),
    );
    if (this.offer.jobs) {
      const box = h("input", { type: "checkbox", checked: this.values.job, onchange: () => this.#set("job", box.checked) });
      const label = h("label", { class: "check" }, box, h("span", {}, t("option.job")));
      this.element.append(h("div", {}, label, h("p", { class: "small" }, t("option.job.hint"))));
    }
    this.#tell();
  }

  #select(name, choices) {
    const select = h("select", { name, onchange: () => this.#set(name, select.value) },
      ...choices.map(([value, text]) => h("option", { value }, text)));
    select.value = choices.some(([value]) => value === this.values[name]) ? this.values[name] : choices[0][0];
    return h("label", {}, h("span", {}, t(`option.${name}`)), select);
  }

  #input(name, properties) {
    const input = h("input", { name, autocomplete: "off", value: this.values[name], ...properties });
    input.addEventListener("input", () => this.#set(name, input.checkValidity() ? input.value.replaceAll(" ", "") : ""));
    return h("label", {}, h("span", {}, t(`option.${name}`)), input);
  }

  #checks(languages) {
    const named = languages.map((name) => [name, languageName(name)]).sort(([, a], [, b]) => a.localeCompare(b));
    const boxes = named.map(([name, text]) => {
      const box = h("input", { type: "checkbox", value: name, checked: this.values.languages.includes(name) });
      box.addEventListener("change", () => {
        const chosen = this.values.languages.filter((other) => other !== name);
        if (box.checked && chosen.length < MOST_LANGUAGES) chosen.push(name);
        box.checked = chosen.includes(name);
        this.#set("languages", chosen);
      });
      return h("label", { class: "check" }, box, h("span", {}, text));
    });
    return h("fieldset", {}, h("legend", {}, t("option.languages")), h("p", { class: "small" }, t("option.languages.hint")),
      h("div", { class: "checks" }, ...boxes));
  }

  #set(name, value) {
    this.values[name] = value;
    localStorage.setItem(STORED, JSON.stringify(this.values));
    this.#tell();
  }

  #tell() {
    const { engine, languages } = this.values;
    const names = languages.length ? languages.map(languageName).join(", ") : t("option.languages.auto");
    const read = engine && has(`engine.${engine}`) ? [t(`engine.${engine}`)] : [];
    this.summary.textContent = [names, ...read, ...(this.asJob ? [t("option.job")] : [])].join(" · ");
  }
}
