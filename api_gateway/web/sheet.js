// The picture of a page, upright, with its words laid over it as transparent text that can be selected.
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { upright } from "./geometry.js";

const FONT = "100px sans-serif"; // as .word in pages.css, whose size is set below
const pen = document.createElement("canvas").getContext("2d");
pen.font = FONT;
const share = (part, whole) => `${(part / whole) * 100}%`;

export const level = (confidence) => (confidence >= 90 ? "sure" : confidence >= 60 ? "fair" : "unsure");

export function makeSheet(entry, name) {
  const shape = entry.width ? upright(entry) : { width: 210, height: 297, turn: 0 };
  const image = h("img", { class: "scan", alt: t("page.alt", { number: entry.number, name }), decoding: "async", hidden: true });
  const words = h("div", { class: "words", "aria-hidden": "true" });
  const tip = h("p", { class: "tip", "aria-hidden": "true", hidden: true });
  const element = h("div", { class: "sheet" }, image, words, tip);
  fit();

  function fit() {
    element.style.aspectRatio = `${shape.width} / ${shape.height}`;
    element.style.maxWidth = `${Math.max(280, shape.width * 2)}px`;
    element.style.setProperty("--turn", `${shape.turn}deg`);
    if (!entry.width) return;
    image.style.width = share(entry.width, shape.width);
    image.style.height = share(entry.height, shape.height);
  }

  return {
    element,
    words,
    show(url) {
      image.src = url;
      image.hidden = false;
    },
    // The browser may forget the decoded picture at once.
    release() {
      image.removeAttribute("src");
    },
    blank() {
      element.classList.add("blank");
    },
    write(list) {
      words.replaceChildren(...list.map((word, at) => wordElement(word, at, shape)));
    },
    point(at, text) {
      const word = words.children[at];
      tip.hidden = !word;
      if (!word) return;
      tip.textContent = text;
      tip.style.left = word.style.left;
      tip.style.top = word.style.top;
      tip.classList.toggle("below", parseFloat(word.style.top) < 8);
      tip.classList.toggle("right", parseFloat(word.style.left) > 60);
    },
  };
}

function wordElement({ text, bbox, confidence }, at, shape) {
  const box = shape.box(bbox);
  const natural = pen.measureText(text).width || 100;
  const ratio = box.width / ((natural / 100) * box.height);
  const inner = h("span", {}, text);
  inner.style.transform = `scaleX(${ratio})`;
  const element = h("span", { class: `word ${level(confidence)}`, "data-i": String(at) }, inner);
  Object.assign(element.style, {
    left: share(box.left, shape.width),
    top: share(box.top, shape.height),
    width: share(box.width, shape.width),
    height: share(box.height, shape.height),
    fontSize: `${(box.height / shape.width) * 100}cqw`,
  });
  return element;
}

// What a selection over several words means: words of a line with blanks between them, lines below each other.
export function selectedText(words, list, selection) {
  const range = selection.getRangeAt(0);
  const touched = [...words.children].filter((element) => range.intersectsNode(element)).map((element) => Number(element.dataset.i));
  if (touched.length < 2) return null;
  let text = "";
  touched.forEach((at, index) => {
    const [word, before] = [list[at], list[touched[index - 1]]];
    if (before) text += sameLine(word, before) ? " " : "\n";
    text += word.text;
  });
  return text;
}

export const sameLine = (a, b) => a.line === b.line && a.paragraph === b.paragraph && a.block === b.block;
