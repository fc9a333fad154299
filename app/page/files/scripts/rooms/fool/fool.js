// The room "Fool": the photo is changed a little, before the visitor's eyes, until the model sees something else.

import * as address from "../../address.js";
import { announce } from "../../drawing.js";
import { html, nothing } from "../../html.js";
import { duration, t } from "../../language.js";
import { progressBar } from "../../parts/chart.js";
import { segments } from "../../parts/choices.js";
import { code } from "../../parts/code.js";
import { fileOf } from "../../parts/files.js";
import { workNotice } from "../../parts/problem.js";
import { classification, classify, sightOf } from "../../photo/classification.js";
import { currentPhoto, keepPhoto } from "../../photo/photo.js";
import { picker } from "../../photo/picker.js";
import { hasGradients } from "../../service/kinds.js";
import { detail, modelName } from "../../service/models.js";
import { attack, attackCall, isCurrent, stepOf, verdictOf } from "./attack.js";
import { changeFrame, probabilities } from "./band.js";
import { controls } from "./controls.js";
import { evidence, forgetEvidence, leaveEvidence, refreshEvidence } from "./evidence.js";
import { proof, proofView } from "./proof.js";
import { frame, VIEWS } from "./stage.js";
import { leaveTargets, refreshTargets } from "./targets.js";

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
  const photo = await keepPhoto(fileOf(result.image), "fooled.png");
  location.hash = address.link("see", { photo, show: "why", why: "" });
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function headline(result) {
  if (result) return verdictOf(result);
  const { running, state } = attack.work;
  if (running) return t("fool.running", { model: modelName() });
  if (state === "stopped" && isCurrent()) return t("fool.stopped");
  if (!classification.result) return classification.state === "failed" ? nothing : t("see.looking");
  return sightOf(classification.result);
}

/**
 * The next step as one button that stays in its place: whoever uses the keyboard stays on it.
 * @param {import("./attack.js").AdversarialResult | null} result
 */
function buttons(result) {
  const step = nextStep(result);
  // The second click of a double click is not meant for what the button has become meanwhile.
  const press = (/** @type {MouseEvent} */ event) => event.detail > 1 || proof.running || step.press();
  return html`<button type="button" class="primary" aria-disabled=${proof.running}
    @click=${press}>${t(step.text)}</button>
    ${
      result && step.press !== startOver
        ? html`<button type="button" @click=${startOver}>${t("fool.start-over")}</button>`
        : nothing
    }`;
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function nextStep(result) {
  if (attack.work.running) return { text: "fool.stop", press: stop };
  if (!result) return { text: "fool.start", press: start };
  if (proof.state === "done") {
    return hasGradients(detail(result.model))
      ? { text: "fool.look", press: () => void look(result) }
      : { text: "fool.start-over", press: startOver };
  }
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
    <p class="figure">${stepOf(latest)}
      ${left === null ? nothing : html`<span>${t("fool.eta", { time: duration(left) })}</span>`}</p>
  </div>`;
}

/** @param {import("./attack.js").AdversarialResult | null} result */
function codeOf(result) {
  const photo = currentPhoto();
  const call = attackCall();
  if (!photo || !call || !result) return nothing;
  return code(call, { file: photo.name, download: photo.path, save: "fooled.png" });
}
