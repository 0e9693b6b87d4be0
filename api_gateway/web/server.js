// Whether the server can be reached. While it cannot, a banner says so, and it is asked again and again.
import { call } from "./api.js";
import { $, announce, h } from "./dom.js";
import { t } from "./i18n.js";

const EVERY_MILLISECONDS = 2000;
let coming = null;
let wake = () => {};

// Resolves when the server answers.
export function untilBack(signal) {
  coming ??= probe().finally(() => {
    coming = null;
    $("#banner").hidden = true;
    announce(t("server.back"));
  });
  return Promise.race([
    coming,
    new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true })),
  ]);
}

async function probe() {
  show();
  for (;;) {
    try {
      await call("health/live", { signal: AbortSignal.timeout(5000) });
      return;
    } catch {
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, EVERY_MILLISECONDS);
      });
    }
  }
}

export function show() {
  const banner = $("#banner");
  banner.replaceChildren(t("server.gone"), " ", h("button", { type: "button", onclick: () => wake() }, t("server.again")));
  banner.hidden = false;
}
