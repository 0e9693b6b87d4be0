// The text of a page in paragraphs and lines; each word knows its number.
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { level, sameLine } from "./sheet.js";

export function makeText(number) {
  const element = h("div", { class: "text", role: "region", tabIndex: 0, "aria-label": t("text.label", { number }) });
  return {
    element,
    write(list) {
      element.replaceChildren(...paragraphs(list));
      if (!list.length) element.append(h("p", { class: "hint" }, t("text.none")));
    },
    say(...children) {
      element.replaceChildren(...children);
    },
    word: (at) => element.querySelector(`[data-i="${at}"]`),
  };
}

function paragraphs(list) {
  const found = [];
  let before = null;
  list.forEach((word, at) => {
    const starts = !before || word.block !== before.block || word.paragraph !== before.paragraph;
    if (starts) found.push(h("p", { dir: "auto" }));
    const paragraph = found[found.length - 1];
    if (!starts) paragraph.append(sameLine(word, before) ? " " : h("br"));
    paragraph.append(h("span", { class: `w ${level(word.confidence)}`, "data-i": String(at) }, word.text));
    before = word;
  });
  return found;
}
