// Errors by their code in words: what happened, and what to do.
import { has, t } from "./i18n.js";

export function inWords({ code, detail = "" }, values = {}) {
  const known = has(`error.${code}`);
  return {
    what: known ? t(`error.${code}`, values) : t("error.unknown", { code }),
    todo: has(`todo.${code}`) ? t(`todo.${code}`, values) : known ? "" : detail,
  };
}
