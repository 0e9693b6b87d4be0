// Files come in: dropped, pasted, chosen, or photographed.
import { $ } from "./dom.js";

export function takeFiles(onFiles) {
  const give = (list) => {
    const files = [...list];
    if (files.length) onFiles(files);
  };
  for (const [button, input] of [["#choose", "#file"], ["#camera", "#photo"]]) {
    $(button).addEventListener("click", () => $(input).click());
    $(input).addEventListener("change", (event) => {
      give(event.target.files);
      event.target.value = "";
    });
  }
  const touched = matchMedia("(pointer: coarse)").matches;
  $("#camera").hidden = !touched;
  if (touched) $("#invitation").dataset.t = "drop.title.touch"; // nothing is dropped on a phone
  let depth = 0;
  const over = (is) => document.body.classList.toggle("dropping", is);
  addEventListener("dragenter", () => over(++depth > 0));
  addEventListener("dragleave", () => over(--depth > 0));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(false);
    give(event.dataTransfer?.files ?? []);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) give(event.clipboardData.files);
  });
}
