// Proof that the returned file fools the model: its very bytes are sent back and classified by every served model.

import { html, nothing } from "../../html.js";
import { probabilityText, t } from "../../language.js";
import { fileOf } from "../../parts/files.js";
import { workNotice } from "../../parts/problem.js";
import { currentPhoto } from "../../photo/photo.js";
import { isFound, isMultiLabel, MOST_CLASSES } from "../../service/kinds.js";
import { detail, loadDetail, modelName, models } from "../../service/models.js";
import { json } from "../../service/requests.js";
import { Work } from "../../work.js";
import { attack } from "./attack.js";

/** @typedef {import("./attack.js").AdversarialResult} AdversarialResult */
/** @typedef {import("./attack.js").Prediction} Prediction */
/** @typedef {{model: string, before: Prediction | undefined, after: Prediction | undefined}} Verdict */

/** @type {Work<Verdict[]>} */
export const proof = new Work();

/**
 * What a model sees in a file: the most probable class, or of a model of several labels per photo the one that the
 * attack was about, if the model knows it.
 * @param {string} model
 * @param {{image: Blob, name: string, label: string}} file
 * @param {import("../../service/requests.js").Waiting} waiting
 * @returns {Promise<Prediction | undefined>}
 */
export async function seen(model, { image, name, label }, waiting) {
  const several = isMultiLabel(await loadDetail(model).catch(() => undefined));
  const options = { model, top: several ? MOST_CLASSES : 1 };
  /** @type {import("../../../../types/schemas.d.ts").Classification} */
  const { predictions } = await json({ path: "classify", image, name, options }, waiting);
  return several ? predictions.find((prediction) => prediction.label === label) : predictions[0];
}

/**
 * Whether a model sees something else than before.
 * @param {Verdict} verdict
 */
function isFooled({ model, before, after }) {
  if (!before || !after) return false;
  if (before.index !== after.index) return true;
  return isMultiLabel(detail(model)) && isFound(before) !== isFound(after);
}

/** Names of all models that are ready, the attacked one first. */
function readyModels() {
  const own = modelName();
  const others = models().filter(({ name, state }) => state === "ready" && name !== own);
  return [own, ...others.map(({ name }) => name)];
}

/**
 * Has every model classify the very bytes of the result.
 * @param {AdversarialResult} result
 */
export function prove(result) {
  const photo = currentPhoto();
  if (!photo) return;
  const { label } = result.original;
  const file = { image: fileOf(result.image), name: "fooled.png", label };
  const original = { image: photo.blob, name: photo.name, label };
  proof.start(attack.work.key, async (waiting) => {
    /** @type {Verdict[]} */
    const verdicts = [];
    for (const model of readyModels()) {
      const after = await seen(model, file, waiting);
      const before = await seen(model, original, waiting);
      verdicts.push({ model, before, after });
    }
    return verdicts;
  });
}

/** What every model sees, once that was asked. */
export function proofView() {
  return html`<div aria-live="polite">
    ${proof.state === "idle" ? html`<p class="hint">${t("prove.lead")}</p>` : nothing}
    ${workNotice(proof, () => proof.reset())} ${proof.result ? verdictTable(proof.result) : nothing}
  </div>`;
}

/** @param {readonly Verdict[]} verdicts */
function verdictTable(verdicts) {
  return html`<table class="verdicts">
    <caption class="only-spoken">${t("prove.title")}</caption>
    <thead>
      <tr>${["model", "photo", "file"].map((name) => html`<th scope="col">${t(`prove.${name}`)}</th>`)}</tr>
    </thead>
    <tbody>${verdicts.map(
      (verdict) => html`<tr class=${isFooled(verdict) ? "fooled" : ""}>
        <th scope="row">${verdict.model}</th>
        <td>${textOf(verdict.before)}</td>
        <td>${textOf(verdict.after)}</td></tr>`,
    )}</tbody>
  </table>`;
}

/** @param {Prediction | undefined} prediction */
function textOf(prediction) {
  return prediction ? `${prediction.label} ${probabilityText(prediction.probability)}` : "";
}
