// The result in each format: text and JSON from what is there, the others from the server.
import { call, form } from "./api.js";
import { patient } from "./patience.js";

export const HERE = ["text", "json", "ndjson"];
export const THERE = ["pdf", "hocr", "alto", "tsv"];
const SUFFIX = { text: "txt", json: "json", ndjson: "ndjson", pdf: "pdf", hocr: "hocr", alto: "xml", tsv: "tsv" };

export async function wholeText(reading) {
  const texts = await Promise.all(read(reading).map(({ text }) => text.text()));
  return texts.join("\f");
}

export async function save(reading, format) {
  const blob = HERE.includes(format) ? await made(reading, format) : await fetched(reading, format);
  const url = URL.createObjectURL(blob);
  const stem = reading.name.replace(/\.[^.]*$/, "") || reading.name;
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: `${stem}.${SUFFIX[format]}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const read = (reading) => reading.sorted.filter(({ line }) => line);

async function made(reading, format) {
  if (format === "text") return new Blob([await wholeText(reading)], { type: "text/plain" });
  const pages = read(reading).map(({ line }) => line);
  if (format === "ndjson") {
    return new Blob([...pages.flatMap((line) => [line, "\n"]), JSON.stringify(reading.totals), "\n"], { type: "application/x-ndjson" });
  }
  const { request_id, status, confidence, page_count, model } = reading.totals;
  const head = JSON.stringify({ request_id, status, text: await wholeText(reading), confidence }).slice(0, -1);
  const tail = JSON.stringify({ page_count, model }).slice(1);
  const parts = pages.flatMap((line, at) => (at ? [",", line] : [line]));
  return new Blob([head, ',"pages":[', ...parts, "],", tail], { type: "application/json" });
}

async function fetched(reading, format) {
  const signal = reading.control.signal;
  const query = { format, allow_partial: "true" };
  const answer = await patient(() => reading.job
    ? call(`gateway/jobs/${reading.job}/result`, { query, signal })
    : call("gateway/ocr", { method: "POST", query: { ...reading.query, ...query }, body: form(reading.file, reading.password), signal }),
  { signal });
  return answer.blob();
}
