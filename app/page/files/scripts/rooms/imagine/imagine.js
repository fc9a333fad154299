// The room "Imagine": the model draws, from noise, what it takes for typical of a class or of a channel.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { code } from "../../parts/code.js";
import { fileName } from "../../parts/files.js";
import { workNotice } from "../../parts/problem.js";
import { indexOfClass } from "../../service/classes.js";
import { hasGradients } from "../../service/kinds.js";
import { allDetailed, detail, isRobust, isSettled, loadDetail, modelName, models } from "../../service/models.js";
import { Work } from "../../work.js";
import { controls } from "./controls.js";
import { exhibit, pick } from "./exhibit.js";
import { forgetFilm, refreshFilm } from "./film.js";
import { gallery, loadGallery } from "./gallery.js";
import { besideCall, choices, explicit, idealCall, MOST_SEED, siblingOf } from "./options.js";
import { beside, keyOf, main } from "./pictures.js";
import { promises } from "./promise.js";
import { stepsChart } from "./steps.js";
import { findings, picked, verdictOf } from "./verdict.js";

/** The first picture of a visitor has one of so many seeds: it shall be seen growing, and not come from the store. */
const SEEDS = 10_000;
/** How other pictures than those of before are shown. */
const OF_NEW_PICTURES = { pick: "", large: "", film: "" };
/** What the room must know about the model. @type {Work<import("../../service/models.js").ModelDetail>} */
const about = new Work();

/** Starts what the address asks for: `run=1` draws, so that a link to a picture draws it again. */
export function refresh() {
  loadGallery();
  const model = modelName();
  if (!model || !models().length) return;
  about.start(model, () => loadDetail(model));
  for (const { name, state } of models()) if (state === "ready") detail(name); // for the picture beside this one
  if (!isSettled(model)) return;
  if (!hasGradients(detail(model))) stopAll();
  else if (address.value("run") === "1") drawAll();
  else if (main.work.running || beside.work.running) stopAll();
  else if (nothingYet(model)) begin();
  refreshFilm();
}

/** Ends the work of this room in the service. Pictures that are there stay. */
export function leave() {
  for (const { work } of [main, beside]) work.leave();
  forgetFilm();
}

/**
 * Whether the visitor has come without a wish, or has just chosen another model: then the room begins by itself.
 * @param {string} model
 */
function nothingYet(model) {
  const { work } = main;
  return work.state === "idle" || (work.state === "done" && work.result?.model !== model);
}

function begin() {
  const chosen = choices();
  if (!idealCall(chosen) || !allDetailed()) return;
  const seed = address.value("seed") === "0" ? Math.floor(Math.random() * SEEDS) : chosen.seed;
  // The first thing to see is what the training makes of the same class.
  const unasked = main.work.state === "idle" && address.value("class") === "" && chosen.subject === "class";
  const first = unasked && isRobust(detail(siblingOf(chosen) ?? ""));
  const values = { ...explicit({ ...chosen, seed }), beside: first ? "robust" : chosen.beside, run: "1" };
  address.change(values, { replace: true });
}

function drawAll() {
  const chosen = choices();
  const call = idealCall(chosen);
  if (!call) return;
  address.change(explicit(chosen), { replace: true }); // a link must not depend on what is the default today
  if (main.work.key !== keyOf(call)) forgetFilm();
  main.start(call);
  const second = besideCall(chosen);
  if (second) beside.start(second);
  else if (beside.work.state !== "idle") beside.forget();
}

function draw() {
  for (const { work } of [main, beside]) if (work.state === "stopped" || work.state === "failed") work.reset();
  address.change({ ...explicit(choices()), ...OF_NEW_PICTURES, run: "1" });
}

function stopAll() {
  for (const { work } of [main, beside]) if (work.running) work.stop();
}

function stop() {
  stopAll();
  address.change({ run: "" });
}

/** Draws the pictures of the next seeds. */
function another() {
  const chosen = choices();
  const seed = Math.min(MOST_SEED, chosen.seed + Number(chosen.count));
  address.change({ ...explicit({ ...chosen, seed }), ...OF_NEW_PICTURES, run: "1" });
}

/** Whether it is not known yet how many pictures there will be: a frame that is drawn too early would move. */
function isUndecided() {
  return address.value("run") !== "1" && main.work.state === "idle" && about.state !== "failed" && !allDetailed();
}

/** The room. */
export function view() {
  if (!hasGradients(detail(modelName()))) return html`${unable()} ${gallery()}`;
  if (isUndecided()) return html`<h1 class="only-spoken">${t("ideal.title")}</h1>`;
  const chosen = choices();
  const second = besideCall(chosen);
  const running = main.work.running || beside.work.running;
  const done = main.isDone(idealCall(chosen)) && (!second || beside.isDone(second));
  const { result } = main.work;
  const other = beside.isDone(second) ? beside.work.result : null;
  return html`<div class="exhibit imagine">
    <section class="stage" aria-label=${t("ideal.picture")}>${exhibit(chosen, draw)}</section>
    <section class="label">
      <h1>${t("ideal.title")}</h1>
      <div class="told" aria-live="off">
        <p class="verdict">${headline(chosen)}</p>
        ${result ? findings(result, pick()) : nothing}
        ${main.work.running ? html`<p>${t(`ideal.how-${chosen.subject}`)}</p>` : nothing}
        ${workNotice(about, () => about.reset())} ${workNotice(main.work, draw)}
      </div>
      ${controls(chosen, { running, done, onDraw: draw, onStop: stop, onAnother: another })}
      ${codeOf()}
    </section>
    <section class="band" aria-label=${t("steps.title")}>${stepsChart(chosen)}</section>
  </div>
  ${chosen.beside === "recipe" && result && other ? promises(result, other) : nothing}
  ${gallery()}`;
}

/** The room of a model that cannot draw. */
function unable() {
  return html`<section class="label">
    <h1>${t("ideal.title")}</h1>
    <p class="notice">${t("ideal.no-gradients", { model: modelName() })}</p>
  </section>`;
}

/** @param {import("./options.js").Choices} chosen */
function headline(chosen) {
  const { work } = main;
  if (work.result) return verdictOf(work.result, pick());
  if (work.state === "stopped") return t("ideal.stopped");
  if (work.state === "failed") return nothing;
  const names = detail(chosen.model)?.class_names ?? [];
  const label = names[indexOfClass(names, chosen.class_) ?? -1] ?? chosen.class_;
  const values = { model: chosen.model, label, layer: chosen.layer, channel: String(chosen.channel) };
  return work.running ? t(`ideal.running-${chosen.subject}`, values) : nothing;
}

function codeOf() {
  const { call, work } = main;
  if (!call || !work.result) return nothing;
  const { label, model } = work.result;
  return code(call, { save: fileName([model, label, picked(work.result, 0).seed], "png") });
}
