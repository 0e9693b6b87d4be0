// Asks for the API key; it is kept until the tab is closed.
import { call, key } from "./api.js";
import { $ } from "./dom.js";
import { t } from "./i18n.js";

const STORED = "ocr.key";
let asking = null;

// Resolves when there is a key that the server accepts; rejects if the user gives none.
export function askForKey(signal) {
  asking ??= entered().finally(() => {
    asking = null;
  });
  return Promise.race([
    asking,
    new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true })),
  ]);
}

function entered() {
  const dialog = $("#key");
  const input = $("#key-input");
  const wrong = $("#key-wrong");
  const before = key.value;
  wrong.textContent = before ? t("key.wrong") : "";
  input.value = "";
  input.removeAttribute("aria-invalid");
  dialog.showModal();
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    const on = (target, type, handler) => target.addEventListener(type, handler, { signal: done.signal });
    const close = () => {
      done.abort();
      dialog.close();
    };
    on($("form", dialog), "submit", async (event) => {
      event.preventDefault();
      key.value = input.value.trim();
      try {
        await call("gateway/languages");
      } catch (error) {
        if (error.status === 401) {
          key.value = before;
          wrong.textContent = t("key.wrong");
          input.setAttribute("aria-invalid", "true");
          input.select();
          return;
        }
      }
      sessionStorage.setItem(STORED, key.value);
      close();
      resolve();
    });
    const cancel = (event) => {
      event.preventDefault();
      close();
      reject(new DOMException("no key", "AbortError"));
    };
    on($("#key-cancel"), "click", cancel);
    on(dialog, "cancel", cancel);
  });
}
