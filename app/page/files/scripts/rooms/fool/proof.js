// Proof that the returned file fools the model: its very bytes are sent back and classified by every served model.

import { html, nothing } from "../../html.js";
import { probabilityText, t } from "../../language.js";
import { fileOf } from "../../parts/files.js";
import { workNotice } from "../../parts/problem.js";
import { currentPhoto } from "../../photo/photo.js";
import { modelName, models } from "../../service/models.js";
import { json } from "../../service/requests.js";
import { Work } from "../../work.js";
import { attack } from "./attack.js";

/** @typedef {import("./attack.js").AdversarialResult} AdversarialResult */
/** @typedef {import("../../../../types/schemas.d.ts").Classification} Classification */
/** @typedef {{model: string, before: Classification, after: Classification}} Verdict */

/** @type {Work<Verdict[]>} */
export const proof = new Work();

/**
 * What a model sees in a file.
 * @param {string} model
 * @param {Blob} image
 * @param {string} name
 * @param {import("../../service/requests.js").Waiting} waiting
 * @returns {Promise<Classification>}
 */
export function seen(model, image, name, waiting) {
  return json({ path: "classify", image, name, options: { model, top: 1 } }, waiting);
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
  const file = fileOf(result.image);
  proof.start(attack.work.key, async (waiting) => {
    /** @type {Verdict[]} */
    const verdicts = [];
    for (const model of readyModels()) {
      const after = await seen(model, file, "fooled.png", waiting);
      const before = await seen(model, photo.blob, photo.name, waiting);
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
    <tbody>${verdicts.map(({ model, before, after }) => {
      const [one, two] = [before.predictions[0], after.predictions[0]];
      return html`<tr class=${one?.index === two?.index ? "" : "fooled"}>
        <th scope="row">${model}</th>
        <td>${one ? `${one.label} ${probabilityText(one.probability)}` : ""}</td>
        <td>${two ? `${two.label} ${probabilityText(two.probability)}` : ""}</td></tr>`;
    })}</tbody>
  </table>`;
}
