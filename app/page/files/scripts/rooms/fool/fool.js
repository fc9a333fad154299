// The room "Fool": the photo is changed a little, before the visitor's eyes, until the model sees something else.

import * as address from "../../address.js";
import { announce } from "../../drawing.js";
import { html, nothing } from "../../html.js";
import { duration, probabilityText, t } from "../../language.js";
import { chart, progressBar } from "../../parts/chart.js";
import { segments } from "../../parts/choices.js";
import { code } from "../../parts/code.js";
import { fileOf } from "../../parts/files.js";
import { compare } from "../../parts/compare.js";
import { cssVariables } from "../../parts/css_variables.js";
import { pixels } from "../../parts/pixels.js";
import { workNotice } from "../../parts/problem.js";
import { currentPhoto, photoSize, takePhoto } from "../../photo/photo.js";
import { picker } from "../../photo/picker.js";
import { modelName } from "../../service/models.js";
import { classification, classify, topClass } from "../../photo/classification.js";
import { attack, attackCall, verdictOf } from "./attack.js";
import { boxLayer } from "./box.js";
import { controls } from "./controls.js";
import { evidence, forgetEvidence, leaveEvidence, refreshEvidence } from "./evidence.js";
import { choices } from "./options.js";
import { proof, proofView } from "./proof.js";
import { leaveTargets, refreshTargets } from "./targets.js";

const VIEWS = /** @type {const} */ (["compare", "pixels", "heat", "change"]);

/** Key of the attack that the proofs are about. */
let evidenceOf = "";

/** Starts what the address asks for: `run=1` runs the attack, so that a link to a result computes it again. */
export function refresh() {
  classify();
  const asked = address.value("run") === "1" && currentPhoto()?.id === address.value("photo") && modelName() !== "";
  if (asked) attack.start(modelName());
  else if (attack.work.running) attack.work.stop();
  if (attack.work.key !== evidenceOf) {
    evidenceOf = attack.work.key;
    forgetEvidence();
  }
  const result = currentResult();
  if (result) refreshEvidence(result);
  else leaveEvidence();
  // The targets are of use before an attack; during one, the search for them would only slow it down.
  if (!attack.work.running) refreshTargets();
}

/** Ends the work of this room in the service. A result that is there stays. */
export function leave() {
  leaveTargets();
  attack.work.leave();
  leaveEvidence();
}

function start() {
  if (attack.work.state === "stopped" || attack.work.state === "failed") attack.work.reset();
  address.change({ ...address.NO_RESULT, run: "1" });
}

function startOver() {
  attack.work.reset();
  address.change(address.NO_RESULT);
  /** @type {HTMLElement | null} */ (document.querySelector(".outcome .primary"))?.focus(); // its own button goes
}

function stop() {
  attack.work.stop();
  announce(t("fool.stopped"));
  address.change(address.NO_RESULT);
}

/** The result, if it is that of the current photo and choices. */
function currentResult() {
  return isCurrent() ? attack.work.result : null;
}

/** Whether the attack is that on the current photo with the current choices. */
function isCurrent() {
  const call = attackCall();
  const photo = currentPhoto();
  return call !== null && photo !== null && attack.work.key === JSON.stringify([photo.id, call.options]);
}

/** The room. */
export function view() {
  const result = currentResult();
  const { running } = attack.work;
  return html`<div class="exhibit fool">
    <section class="stage" aria-label=${t("fool.photo")}>
      ${frame(result)}
      ${segments({
        name: "view",
        label: t("fool.view"),
        hideLabel: true,
        chosen: address.choice("view", VIEWS),
        choices: VIEWS.map((name) => ({ name, text: t(`fool.view.${name}`), disabled: !result })),
        onChoose: (view) => address.change({ view }),
      })}
    </section>
    <section class="band" aria-label=${t("fool.band")}>${changeFrame(result)} ${probabilities()}</section>
    <section class="label">
      <div class="label-head">
        <h1>${t("fool.title")}</h1>
        <p class="verdict">${headline(result)}</p>
        <div class="outcome">
          <p class="actions">${buttons(result)}</p>
          ${outcome(result)}
        </div>
      </div>
      <div class="label-rest">${controls(running)} ${codeOf(result)}</div>
    </section>
    <section class="choose">${picker()}</section>
  </div>
  ${result ? evidence(result) : nothing}`;
}

/**
 * Takes the changed photo into the room "See".
 * @param {import("./attack.js").AdversarialResult} result
 */
async function look(result) {
  await takePhoto(fileOf(result.image), "fooled.png");
  location.hash = address.link("see", { show: "why", why: "" });
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function headline(result) {
  if (result) return verdictOf(result);
  const top = topClass();
  const { running, state } = attack.work;
  if (running) return t("fool.running", { model: modelName() });
  if (state === "stopped" && isCurrent()) return t("fool.stopped");
  if (!top) return classification.state === "failed" ? nothing : t("see.looking");
  return t("see.verdict", { model: modelName(), label: top.label, share: probabilityText(top.probability) });
}

/**
 * The next step as one button that stays in its place: whoever uses the keyboard stays on it.
 * @param {import("./attack.js").AdversarialResult | null} result
 */
function buttons(result) {
  const step = nextStep(result);
  // The second click of a double click is not meant for what the button has become meanwhile.
  const press = (/** @type {MouseEvent} */ event) => event.detail > 1 || proof.running || step.press();
  return html`<button type="button" class="primary" aria-disabled=${proof.running} @click=${press}>${t(step.text)}</button>
    ${result ? html`<button type="button" @click=${startOver}>${t("fool.start-over")}</button>` : nothing}`;
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function nextStep(result) {
  if (attack.work.running) return { text: "fool.stop", press: stop };
  if (!result) return { text: "fool.start", press: start };
  if (proof.state === "done") return { text: "fool.look", press: () => void look(result) };
  return { text: "prove.button", press: () => address.change({ prove: "1" }) };
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function outcome(result) {
  if (result) return proofView();
  if (isCurrent() && attack.work.state === "failed") return workNotice(attack.work, start);
  if (attack.work.running) return html`${progress()} ${workNotice(attack.work)}`;
  return html`<p>${t("fool.lead")}</p>${workNotice(classification, () => classification.reset())}`;
}

function progress() {
  const { latest } = attack;
  const share = latest ? latest.step / latest.steps : 0;
  const left = latest?.eta_s ?? null;
  return html`<div class="running">
    ${progressBar(share, t("fool.progress"))}
    <p class="figure">${latest ? t("fool.step", { step: latest.step, steps: latest.steps }) : t("fool.starting")}
      ${left === null ? nothing : html`<span>${t("fool.eta", { time: duration(left) })}</span>`}</p>
  </div>`;
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function frame(result) {
  const photo = currentPhoto();
  const { width, height } = photoSize();
  const ratio = cssVariables({ "--ratio": width / height });
  if (!photo) return html`<figure class="frame" ${ratio}></figure>`;
  const beforeText = t("see.photo-alt", { name: photo.name });
  if (!result) {
    const preview = attack.work.running ? attack.latest?.preview : undefined;
    return html`<figure class="frame" ${ratio}>
      <img src=${preview ?? photo.url} alt=${beforeText} width=${width} height=${height} draggable="false">
      ${attack.work.running ? nothing : boxLayer()}
    </figure>`;
  }
  const afterText = t("fool.after-alt", { label: result.adversarial.label });
  const free = address.choice("view", VIEWS) === "pixels" ? "frame free" : "frame";
  return html`<figure class=${free} ${ratio}>${shown(result, photo.url, beforeText, afterText)}</figure>`;
}

/**
 * @param {import("./attack.js").AdversarialResult} result
 * @param {string} before
 * @param {string} beforeText
 * @param {string} afterText
 */
function shown(result, before, beforeText, afterText) {
  const view = address.choice("view", VIEWS);
  if (view === "heat") return html`<img src=${result.heat_map} alt=${t("fool.heat-alt")}>`;
  if (view === "change") return html`<img src=${result.perturbation} alt=${t("fool.change-alt")}>`;
  if (view === "pixels") {
    const [x = NaN, y = NaN] = address.value("at").split(",").map(Number);
    return pixels({
      before,
      after: result.image,
      at: Number.isInteger(x) && Number.isInteger(y) ? { x, y } : null,
      onMove: (at, settled) => address.change({ at: `${at.x},${at.y}` }, { replace: !settled }),
    });
  }
  return compare({
    before,
    after: result.image,
    beforeText,
    afterText,
    split: address.number("split", 0, 100),
    onMove: (split, settled) => address.change({ split: String(split) }, { replace: !settled }),
  });
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function changeFrame(result) {
  const { width, height } = photoSize();
  const image = result?.perturbation ?? attack.latest?.change;
  return html`<figure class="small-frame">
    <div class="frame" ${cssVariables({ "--ratio": width / height })}>
      ${image && (result || attack.work.running) ? html`<img src=${image} alt=${t("fool.change-alt")}>` : nothing}
    </div>
    <figcaption>${t("fool.change")}</figcaption>
  </figure>`;
}

/** The probabilities of the classes, step by step. */
function probabilities() {
  const latest = isCurrent() ? attack.latest : null;
  const before = { step: 0, probabilities: classification.result?.predictions ?? [] };
  const moments = isCurrent() ? [before, ...attack.moments] : [before];
  const original = topClass()?.index;
  const last = moments.at(-1)?.probabilities ?? [];
  const goal = last.find(({ index }) => index !== original)?.index;
  /** @type {Map<number, import("../../parts/chart.js").Line & {points: {x: number, y: number}[]}>} */
  const lines = new Map();
  for (const { step, probabilities } of moments) {
    for (const { index, label, probability } of probabilities) {
      const tone = index === original ? "ink" : index === goal ? "accent" : "faint";
      if (!lines.has(index)) lines.set(index, { name: label, points: [], tone });
      lines.get(index)?.points.push({ x: step, y: probability });
    }
  }
  const shown = [...lines.entries()].filter(([index]) => last.some((prediction) => prediction.index === index));
  return html`<div class="probabilities">${chart({
    label: t("fool.chart-spoken", { classes: last.map(({ label, probability }) => `${label} ${probabilityText(probability)}`).join(", ") }),
    yLabel: t("fool.chart"),
    xLabel: t("fool.chart-step"),
    lines: shown.map(([, line]) => line),
    xMax: Math.max(latest?.steps ?? 0, moments.at(-1)?.step ?? 0, 1),
  })}
    <p class="hint">${t(`fool.chart-hint.${choices().mode}`)}</p></div>`;
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function codeOf(result) {
  const photo = currentPhoto();
  const call = attackCall();
  if (!photo || !call || !result) return nothing;
  return code(call, { file: photo.name, download: photo.path, save: "fooled.png" });
}
