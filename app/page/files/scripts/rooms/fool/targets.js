// The classes that the visitor can choose as the target: the nearest ones first, found by the service.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { currentPhoto } from "../../photo/photo.js";
import { classReference, indexOfClass } from "../../service/classes.js";
import { detail, modelName } from "../../service/models.js";
import { json } from "../../service/requests.js";
import { Work } from "../../work.js";
import { classification, topClass } from "../../photo/classification.js";

/** @typedef {import("../../../../types/schemas.d.ts").NearestClasses} NearestClasses */

/** @type {Work<NearestClasses>} */
const nearest = new Work();

/** Asks for the nearest classes, unless that is done or under way. Waits for the classification, which comes first. */
export function refreshTargets() {
  const photo = currentPhoto();
  const model = modelName();
  if (!photo || !model || classification.state !== "done") return;
  nearest.start(keyNow(), (waiting) =>
    json({ path: "adversarial/targets", image: photo.blob, name: photo.name, options: { model } }, waiting),
  );
}

function keyNow() {
  return `${currentPhoto()?.id} ${modelName()}`;
}

/** Ends the search. */
export function leaveTargets() {
  nearest.leave();
}

/**
 * A row of classes, and for models with many a field for any other.
 * @param {boolean} disabled
 */
export function targetChips(disabled) {
  const original = topClass()?.index;
  const chosen = address.value("target");
  const names = detail(modelName())?.class_names ?? [];
  const known = nearest.key === keyNow() ? nearest.result : null;
  const other = names.findIndex((_, index) => index !== original);
  const close = known?.nearest.map(({ index }) => index) ?? (other < 0 ? [] : [other]);
  const references = close.map((index) => classReference(names, index));
  if (chosen && !references.includes(chosen)) references.push(chosen);
  // Of two classes, anything else is the other one.
  const choices = names.length === 2 ? references : ["", ...references];
  const labelOf = (/** @type {string} */ reference) => names[indexOfClass(names, reference) ?? -1] ?? reference;
  const choose = (/** @type {string} */ target) => address.change({ target, ...address.NO_RESULT });
  return html`<fieldset class="chips" ?disabled=${disabled}>
    <legend>${t("fool.target", { model: modelName() })}</legend>
    <div>
      ${choices.map(
        (
          reference,
        ) => html`<label><input type="radio" name="target" .checked=${reference === chosen || choices.length === 1}
          @change=${() => choose(reference)}>
          <span>${labelOf(reference) || t("fool.any-other")}</span></label>`,
      )}
    </div>
    ${
      names.length > references.length + 1 && names.length > 2
        ? html`<label class="field"><span>${t("fool.other-target")}</span>
          <input type="text" list="class-names" .value=${labelOf(chosen)}
            @change=${(/** @type {Event} */ event) => choose(/**
              @type {HTMLInputElement} */ (event.target).value.trim())}></label>
          <datalist id="class-names">${names.map((name) => html`<option value=${name}></option>`)}</datalist>`
        : nothing
    }
  </fieldset>`;
}
