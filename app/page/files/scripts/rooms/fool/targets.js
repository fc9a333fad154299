// The classes that the visitor can choose as the target: the nearest ones first, found by the service.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { currentPhoto } from "../../photo/photo.js";
import { classReference, indexOfClass } from "../../service/classes.js";
import { hasGradients, isFound, isMultiLabel } from "../../service/kinds.js";
import { detail, isSettled, modelName } from "../../service/models.js";
import { json } from "../../service/requests.js";
import { Work } from "../../work.js";
import { classification, isClassified, TOP, topClass } from "../../photo/classification.js";
import { choices, findsNone } from "./options.js";

/** @typedef {import("../../../../types/schemas.d.ts").NearestClasses} NearestClasses */

/** @type {Work<NearestClasses>} */
const nearest = new Work();

/**
 * Asks for the nearest classes, unless that is done or under way, or the model gives no gradients, by which they are
 * found. Waits for the classification, which comes first.
 */
export function refreshTargets() {
  const photo = currentPhoto();
  const model = modelName();
  if (!photo || !model || classification.state !== "done" || !isSettled(model) || !hasGradients(detail(model))) return;
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
 * Indices of the classes that are offered: the nearest ones, and until these are known a guess.
 * @param {readonly string[]} names
 */
function offered(names) {
  if (nearest.key === keyNow() && nearest.result) return nearest.result.nearest.map(({ index }) => index);
  const model = detail(modelName());
  const predictions = isClassified() ? (classification.result?.predictions ?? []) : [];
  const choices = isMultiLabel(model) ? predictions.filter((label) => !isFound(label)) : predictions.slice(1);
  if (isMultiLabel(model) || !hasGradients(model)) return choices.slice(0, TOP - 1).map(({ index }) => index);
  const other = names.findIndex((_, index) => index !== topClass()?.index);
  return other < 0 ? [] : [other];
}

/**
 * A row of classes, and for models with many a field for any other.
 * @param {boolean} disabled
 */
export function targetChips(disabled) {
  const model = detail(modelName());
  const names = model?.class_names ?? [];
  const several = isMultiLabel(model);
  const chosen = choices().target;
  const references = offered(names).map((index) => classReference(names, index));
  if (chosen && !references.includes(chosen)) references.push(chosen);
  // Of two classes, anything else is the other one. Where no label is found, none can be removed.
  const chips = (names.length === 2 && !several) || findsNone() ? references : ["", ...references];
  const labelOf = (/** @type {string} */ reference) => names[indexOfClass(names, reference) ?? -1] ?? reference;
  const textOf = (/** @type {string} */ reference) => {
    if (!several) return labelOf(reference) || t("fool.any-other");
    return reference
      ? t("fool.label.add", { label: labelOf(reference) })
      : t("fool.label.remove", { label: topClass()?.label ?? "" });
  };
  // Labels that the model finds in the photo already cannot be added, and the class that it sees is no target.
  const known = several ? (classification.result?.predictions ?? []).filter(isFound).length : 1;
  const choose = (/** @type {string} */ target) => address.change({ target, ...address.NO_RESULT });
  return html`<fieldset class="chips" ?disabled=${disabled}>
    <legend>${t("fool.target", { model: modelName() })}</legend>
    <div>
      ${chips.map(
        (reference) => html`<label><input type="radio" name="target"
          .checked=${reference === chosen || chips.length === 1} @change=${() => choose(reference)}>
          <span>${textOf(reference)}</span></label>`,
      )}
    </div>
    ${
      names.length > references.length + known && names.length > 2
        ? html`<label class="field"><span>${t(several ? "fool.label.other" : "fool.other-target")}</span>
          <input type="text" list="class-names" .value=${labelOf(chosen)}
            @change=${(/** @type {Event} */ event) => choose(/**
              @type {HTMLInputElement} */ (event.target).value.trim())}></label>
          <datalist id="class-names">${names.map((name) => html`<option value=${name}></option>`)}</datalist>`
        : nothing
    }
  </fieldset>`;
}
