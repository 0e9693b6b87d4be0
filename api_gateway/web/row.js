// One page: its picture and its text in step. A word that is pointed at in one is shown in the other.
import { $, h } from "./dom.js";
import { inWords } from "./errors.js";
import { has, t } from "./i18n.js";
import { makeSheet, selectedText } from "./sheet.js";
import { makeText } from "./textpane.js";

export function makeRow(reading, entry) {
  const sheet = makeSheet(entry, reading.name);
  const text = makeText(entry.number);
  const note = h("span", { class: "small" });
  const title = h("h3", { id: `page-${reading.id}-${entry.number}` }, t("page.title", { number: entry.number }));
  const element = h("article", { class: "page", "aria-labelledby": title.id },
    h("header", {}, title, note), h("div", { class: "pair" }, sheet.element, h("div", { class: "beside" }, text.element)));
  let url = null;
  let list = [];
  let page = null;
  let current = -1;
  let gone = false;

  picture();
  if (entry.status === "failed") failed();
  else if (entry.status === "ok") fill();
  else text.say(h("p", { class: "hint busy" }, t("page.reading")));

  function picture() {
    if (reading.url && entry.number === 1) sheet.show(reading.url);
    else if (entry.preview) sheet.show((url = URL.createObjectURL(entry.preview)));
    else sheet.blank();
  }

  function failed() {
    const { what, todo } = inWords(entry);
    element.classList.add("failed");
    text.say(h("p", { class: "wrong" }, h("strong", {}, t("page.failed"))), h("p", {}, what), h("p", { class: "hint" }, todo));
  }

  async function fill() {
    page = await reading.whole(entry);
    if (gone) return;
    list = page.words;
    sheet.element.classList.toggle("blank", !entry.preview && !reading.url);
    if (!entry.preview && !reading.url) sheet.element.classList.add("typed");
    sheet.write(list);
    text.write(list);
    note.textContent = facts();
    for (const code of entry.warnings ?? []) {
      text.element.prepend(h("p", { class: "hint" }, has(`warning.${code}`) ? t(`warning.${code}`) : code));
    }
    element.dataset.filled = "";
  }

  function facts() {
    const parts = [t("page.words", { count: list.length })];
    if (entry.confidence !== null) parts.push(t("page.confidence", { confidence: Math.round(entry.confidence) }));
    if (entry.rotation) parts.push(t("page.turned", { degrees: entry.rotation }));
    return parts.join(" · ");
  }

  function point(at, { said = false, from = null } = {}) {
    for (const marked of element.querySelectorAll(".current")) marked.classList.remove("current");
    current = at;
    const word = list[at];
    sheet.point(at, word ? aboutWord(word, page) : "");
    if (!word) return;
    const [there, here] = [sheet.words.children[at], text.word(at)];
    there.classList.add("current");
    here.classList.add("current");
    if (from === "text") there.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (from === "sheet") within(here, text.element);
    if (said) $("#detail").textContent = aboutWord(word, page);
  }

  const at = (event) => {
    const found = event.target.closest?.("[data-i]");
    return found ? Number(found.dataset.i) : -1;
  };
  element.addEventListener("pointerover", (event) => event.pointerType === "mouse" && at(event) !== current && point(at(event)));
  element.addEventListener("click", (event) => {
    if (at(event) >= 0 && getSelection().isCollapsed) {
      point(at(event), { said: true, from: text.element.contains(event.target) ? "text" : "sheet" });
    }
  });
  text.element.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    if (event.key === "Escape") point(-1);
    if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey || !list.length) return;
    event.preventDefault();
    const next = Math.min(list.length - 1, Math.max(0, current + steps[event.key]));
    point(next, { said: true, from: "text" });
    within(text.word(next), text.element);
  });
  sheet.words.addEventListener("copy", (event) => {
    const copied = selectedText(sheet.words, list, getSelection());
    if (copied === null) return;
    event.clipboardData.setData("text/plain", copied);
    event.preventDefault();
  });

  return {
    element,
    release() {
      gone = true;
      sheet.release();
      if (url) URL.revokeObjectURL(url);
    },
  };
}

function aboutWord(word, page) {
  return t("word.about", {
    text: word.text,
    confidence: Math.round(word.confidence),
    engine: t(`engine.${engineOf(word, page)}`),
  });
}

function engineOf(word, page) {
  if (word.source === "embedded" || page.source === "embedded") return "embedded";
  if (word.engine) return word.engine;
  return page.model?.tesseract ? "tesseract" : "neural";
}

// Scrolls the text to the word, and the page only as far as needed.
function within(word, scroller) {
  if (scroller.scrollHeight <= scroller.clientHeight) return;
  const [inner, outer] = [word.getBoundingClientRect(), scroller.getBoundingClientRect()];
  if (inner.top < outer.top) scroller.scrollTop -= outer.top - inner.top + outer.height / 3;
  if (inner.bottom > outer.bottom) scroller.scrollTop += inner.bottom - outer.bottom + outer.height / 3;
}
