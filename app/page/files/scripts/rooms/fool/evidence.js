// What more is to be known about a result: its figures, whether it survives JPEG, and what a robust model says.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { number, probabilityText, t } from "../../language.js";
import { fileOf, save } from "../../parts/files.js";
import { workNotice } from "../../parts/problem.js";
import { isFound, isMultiLabel } from "../../service/kinds.js";
import { detail, isRobust, siblings } from "../../service/models.js";
import { Work } from "../../work.js";
import { attack, comparison, figuresOf, stepOf, verdictOf } from "./attack.js";
import { proof, prove, seen } from "./proof.js";
import { altOf } from "./stage.js";

/** @typedef {import("./attack.js").AdversarialResult} AdversarialResult */
/** @typedef {import("./attack.js").Prediction} Prediction */

const JPEG_QUALITY = 75;
/** @type {Work<Prediction | undefined>} */
const asJpeg = new Work();

/**
 * Starts what the address asks for about a result and is not there yet.
 * @param {AdversarialResult} result
 */
export function refreshEvidence(result) {
  const asked = (/** @type {string} */ name, /** @type {Work<unknown>} */ work) =>
    address.value(name) === "1" && work.state === "idle";
  if (asked("prove", proof)) prove(result);
  if (asked("jpeg", asJpeg)) askAgain(result);
  const other = siblings(result.model)[0];
  if (other && asked("versus", comparison.work)) comparison.start(other);
}

/** Ends the work on proofs that nobody sees. */
export function leaveEvidence() {
  for (const work of [proof, asJpeg, comparison.work]) work.leave();
}

/** Forgets the proofs of an earlier result. */
export function forgetEvidence() {
  proof.reset();
  asJpeg.reset();
  comparison.work.reset();
}

/** @param {AdversarialResult} result */
function askAgain(result) {
  asJpeg.start(attack.work.key, async (waiting) => {
    const image = await jpegOf(result.image);
    return seen(result.model, { image, name: "fooled.jpg", label: result.original.label }, waiting);
  });
}

/**
 * The picture as this browser saves it in a JPEG file.
 * @param {string} url
 * @returns {Promise<Blob>}
 */
async function jpegOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no JPEG"))), "image/jpeg", JPEG_QUALITY / 100);
  });
}

/**
 * The section below the photo.
 * @param {AdversarialResult} result
 */
export function evidence(result) {
  return html`<section class="evidence">
    <h2>${t("evidence.title")}</h2>
    <div class="cards">
      <section class="card">
        <h3>${t("figures.title")}</h3>
        <ul class="figures">${figuresOf(result).map((sentence) => html`<li>${sentence}</li>`)}</ul>
      </section>
      <section class="card">
        <h3>${t("jpeg.title")}</h3>
        <p>${t("jpeg.lead")}</p>
        <button type="button" @click=${() => address.change({ jpeg: "1" })}
          aria-disabled=${asJpeg.running || asJpeg.state === "done"}>${t("jpeg.button")}</button>
        <div aria-live="polite">${workNotice(asJpeg, () => asJpeg.reset())} ${jpegVerdict(result)}</div>
      </section>
      <section class="card">
        <h3>${t("download.title")}</h3>
        <p>${t("download.lead")}</p>
        <button type="button" @click=${() => save(fileOf(result.image), "fooled.png")}>${t("download.button")}</button>
      </section>
      ${robust(result)}
    </div>
  </section>`;
}

/** @param {AdversarialResult} result */
function jpegVerdict(result) {
  const top = asJpeg.result;
  if (!top) return nothing;
  const { target, original, success, model } = result;
  const several = isMultiLabel(detail(model));
  const held = several
    ? isFound(top) === (target !== null)
    : target
      ? top.index === target.index
      : top.index !== original.index;
  const end = !success ? "seen" : held ? "held" : "lost";
  const key = several ? `jpeg.label.${end}` : `jpeg.${end}`;
  return html`<p>${t(key, { label: top.label, share: probabilityText(top.probability) })}</p>`;
}

/** @param {AdversarialResult} result */
function robust(result) {
  const other = siblings(result.model)[0];
  if (!other) return nothing;
  const { work, latest } = comparison;
  const compared = work.result?.model === other ? work.result : null;
  const kind = isRobust(detail(other)) ? "robust" : "other";
  return html`<section class="card wide">
    <h3>${t(`compared.${kind}.title`, { model: other })}</h3>
    <p>${t(`compared.${kind}.lead`, { model: other })}</p>
    <button type="button" aria-disabled=${work.state === "done"} @click=${compareOrStop}>
      ${t(work.running ? "fool.stop" : "compared.button", { model: other })}</button>
    ${
      work.running
        ? html`<p class="figure">${stepOf(latest)}</p>`
        : nothing
    }
    <div aria-live="polite">
      ${workNotice(work, () => work.reset())}
      ${
        compared
          ? html`<div class="side-by-side">${[result, compared].map(side)}</div>
            <p>${comparedSentence(result, compared)}</p>`
          : nothing
      }
    </div>
  </section>`;
}

function compareOrStop() {
  const { running, state } = comparison.work;
  if (state !== "done") comparison.work.reset();
  address.change({ versus: running ? "" : "1" });
}

/** @param {AdversarialResult} result */
function side(result) {
  return html`<figure>
    <div class="pair"><img src=${result.image} alt=${altOf(result)}>
      <img src=${result.perturbation} alt=${t("fool.change-alt")}></div>
    <figcaption>${verdictOf(result)}</figcaption>
  </figure>`;
}

/**
 * @param {AdversarialResult} own
 * @param {AdversarialResult} other
 */
function comparedSentence(own, other) {
  if (!own.success && !other.success) return t("compared.neither");
  if (!own.success || !other.success) return t("compared.not-both");
  return t("compared.ratio", { model: other.model, other: own.model, ratio: number(other.norms.l2 / own.norms.l2, 1) });
}
