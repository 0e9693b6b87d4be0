// Puts the parts together.
import { ApiError, json } from "./api.js";
import { $, announce } from "./dom.js";
import { FileList } from "./files.js";
import { applyWords, language, loadWords, otherLanguage, size, t } from "./i18n.js";
import { takeFiles } from "./intake.js";
import { Jobs } from "./jobs.js";
import { kindOf, largest } from "./kinds.js";
import { askForKey } from "./keys.js";
import { Options } from "./options.js";
import { makeQueue, patient } from "./patience.js";
import { Reading } from "./reading.js";
import { Viewer } from "./viewer.js";

const AT_ONCE = 2;
const MIB = 1048576;
const queue = makeQueue(AT_ONCE);
const [offer] = await Promise.all([
  fetch(new URL("offer.json", import.meta.url)).then((answer) => answer.json()),
  loadWords(),
]);

const options = new Options($("#options form"), $("#chosen"), offer);
const viewer = new Viewer($("#result"), { onAgain: again });
const files = new FileList($("#files"), { onSelect: select, onRemove: remove });
const jobs = new Jobs($("#jobs"), { onOpen: openJob, onChange: followJob });
const handedIn = new Map(); // readings by the ids of their jobs

async function take(list) {
  const readings = await Promise.all(list.map(async (file) => {
    const name = file.name || t("picture");
    return new Reading({ file, name, kind: await kindOf(file), query: options.query });
  }));
  document.body.className = "working";
  readings.forEach((reading) => files.add(reading));
  select(readings[0]);
  readings.forEach((reading) => start(reading, options.asJob));
}

function start(reading, asJob = false) {
  const most = largest(reading.kind, offer);
  if (reading.file.size > most * MIB || !reading.file.size) {
    const error = new ApiError(!reading.file.size ? "empty_image" : reading.kind.document ? "document_too_large" : "image_too_large");
    error.values = { size: size(reading.file.size), limit: size(most * MIB) };
    return reading.fail(error);
  }
  queue(async () => {
    if (!asJob) return reading.read();
    const job = await reading.submit();
    if (!job) return;
    handedIn.set(job.id, reading);
    jobs.add(job, reading.name);
  });
}

function again(reading, query = options.query, password = reading.password) {
  reading.again(query, password);
  start(reading);
}

function select(reading) {
  files.mark(reading);
  viewer.show(reading);
  document.body.className = reading ? "working" : "empty";
}

function remove(reading, next) {
  reading.close();
  if (viewer.reading === reading) select(next);
  $("#choose").focus();
}

function openJob({ id, name }) {
  const reading = handedIn.get(id) ?? new Reading({ name, job: id });
  if (!files.items.has(reading)) files.add(reading);
  handedIn.set(id, reading);
  select(reading);
  if (!reading.totals) reading.open();
  $("#result").focus();
}

function followJob(job) {
  const reading = handedIn.get(job.id);
  if (!reading || reading.job !== job.id || reading.control.signal.aborted) return;
  if (["complete", "partial"].includes(job.status)) reading.open();
  else if (["failed", "cancelled", "removed"].includes(job.status)) reading.fail(new ApiError(job.code ?? `job_${job.status}`));
  else reading.follow(job);
}

function draw() {
  $("#language").textContent = otherLanguage() === "de" ? "Deutsch" : "English";
  $("#language").lang = otherLanguage();
  $("#limits").textContent = t("drop.limits", { picture: size(offer.max_upload_mib * MIB), document: size(offer.max_document_mib * MIB) });
  options.draw();
  jobs.draw();
  files.update();
}

async function learn() {
  const { signal } = new AbortController();
  try {
    options.known = await patient(() => json("gateway/languages"), { signal });
    options.draw();
    if (offer.jobs) jobs.watch();
  } catch {
    $("#key-button").hidden = !offer.keys; // the user gave no key
  }
}

$("#language").addEventListener("click", async () => {
  await loadWords(otherLanguage());
  draw();
  viewer.drawn = "";
  viewer.show(viewer.reading ?? null);
  announce(t("title"));
});
$("#key-button").addEventListener("click", () => askForKey().then(learn, () => {}));
$("#key-button").hidden = !offer.keys;
takeFiles(take);
applyWords(document);
draw();
learn();
document.documentElement.dataset.ready = language;
