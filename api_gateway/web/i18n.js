// The words of the page in the user's language: words/en.json and words/de.json have the same keys.
const LANGUAGES = ["en", "de"];
const STORED = "ocr.language";
let words = {};
let number;
export let language = "en";

export async function loadWords(wanted) {
  const asked = wanted ?? localStorage.getItem(STORED) ?? navigator.language.slice(0, 2);
  language = LANGUAGES.includes(asked) ? asked : "en";
  if (wanted) localStorage.setItem(STORED, language);
  const answer = await fetch(new URL(`words/${language}.json`, import.meta.url));
  words = await answer.json();
  number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
  document.documentElement.lang = language;
  document.title = t("title");
  applyWords(document);
}

export const otherLanguage = () => LANGUAGES.find((name) => name !== language);
export const has = (key) => key in words;

// `{name}` in a text is replaced; with `count`, `key.one` is used for one.
export function t(key, values = {}) {
  const text = (values.count === 1 && words[`${key}.one`]) || words[key] || key;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number.format(value) : value;
  });
}

export function applyWords(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
}

export function size(bytes) {
  const mib = bytes / 1048576;
  return mib < 0.1 ? `${number.format(Math.max(1, Math.round(bytes / 1024)))} kB` : `${number.format(mib)} MB`;
}

// Tesseract's names are those of ISO 639, some with a script: chi_sim.
export function languageName(code) {
  const known = { chi_sim: "zh-Hans", chi_tra: "zh-Hant", srp_latn: "sr-Latn", uzb_cyrl: "uz-Cyrl", aze_cyrl: "az-Cyrl" };
  try {
    return new Intl.DisplayNames([language], { type: "language" }).of(known[code] ?? code);
  } catch {
    return code;
  }
}
