// The classes that the visitor can choose as the target: the nearest ones first, found by the service.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { currentPhoto } from "../../photo/photo.js";
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
  const original = topClass()?.label;
  const chosen = address.value("target");
  const names = detail(modelName())?.class_names ?? [];
  const known = nearest.key === keyNow() ? nearest.result : null;
  const close = known?.nearest.map(({ label }) => label) ?? names.filter((name) => name !== original).slice(0, 1);
  const labels = chosen && !close.includes(chosen) ? [...close, chosen] : close;
  // Of two classes, anything else is the other one.
  const choices = names.length === 2 ? labels : ["", ...labels];
  const choose = (/** @type {string} */ target) => address.change({ target, ...address.NO_RESULT });
  return html`<fieldset class="chips" ?disabled=${disabled}>
    <legend>${t("fool.target", { model: modelName() })}</legend>
    <div>
      ${choices.map(
        (
          label,
        ) => html`<label><input type="radio" name="target" .checked=${label === chosen || choices.length === 1}
          @change=${() => choose(label)}>
          <span>${label || t("fool.any-other")}</span></label>`,
      )}
    </div>
    ${
      names.length > labels.length + 1 && names.length > 2
        ? html`<label class="field"><span>${t("fool.other-target")}</span>
          <input type="text" list="class-names" .value=${chosen}
            @change=${(/** @type {Event} */ event) => choose(/**
              @type {HTMLInputElement} */ (event.target).value.trim())}></label>
          <datalist id="class-names">${names.map((name) => html`<option value=${name}></option>`)}</datalist>`
        : nothing
    }
  </fieldset>`;
}
