// Pictures of pages that browsers cannot draw themselves: the server draws them, and each arrives when it is ready.
import { call, form, lost } from "./api.js";
import { bytes } from "./base64.js";
import { lines, parsed } from "./ndjson.js";
import { patient } from "./patience.js";

const WIDTH = "1000";

export async function drawPreviews(reading, signal) {
  const query = { width: WIDTH, pages: reading.query.pages ?? "" };
  try {
    await patient(async () => {
      const body = form(reading.file, reading.password);
      const answer = await call("gateway/previews", { method: "POST", query, body, signal });
      try {
        for await (const line of lines(answer)) put(reading, parsed(line));
      } catch (error) {
        throw lost(error, signal);
      }
    }, { signal });
    reading.drawn = true;
  } catch {
    // The words are shown at their places on white; an error of the file is that of its reading.
  }
}

function put(reading, { page, status, width, height, image }) {
  if (status !== "ok") return;
  const known = reading.pages.get(page);
  const found = { preview: new Blob([bytes(image)], { type: "image/jpeg" }) };
  if (known?.width) reading.preview(page, found);
  else reading.preview(page, { ...found, width, height });
}
