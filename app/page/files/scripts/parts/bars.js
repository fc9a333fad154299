// The most probable classes as bars.

import { html, nothing, repeat } from "../html.js";
import { probabilityText, t } from "../language.js";
import { cssVariables } from "./css_variables.js";

/** @typedef {import("../../../types/schemas.d.ts").Prediction} Prediction */

/**
 * @param {readonly Prediction[]} predictions the most probable one first
 * @param {object} [options]
 * @param {number} [options.chosen] index of the class that is marked
 * @param {(prediction: Prediction) => void} [options.onChoose] makes each class a button
 * @param {(prediction: Prediction) => string} [options.hint] what such a button does
 */
export function bars(predictions, { chosen, onChoose, hint } = {}) {
  const row = (/** @type {Prediction} */ prediction) => html`
    <span class="bar-label">${prediction.label}</span>
    <span class="bar-value">${probabilityText(prediction.probability)}</span>
    <span class="bar-track" aria-hidden="true">
      <span class="bar-fill" ${cssVariables({ "--share": prediction.probability })}></span>
    </span>`;
  return html`<ol class="bars" aria-label=${t("bars.label")}>
    ${repeat(
      predictions,
      (prediction) => prediction.index,
      (prediction) => html`<li class=${prediction.index === chosen ? "chosen" : nothing}>
        ${
          onChoose
            ? html`<button type="button" class="bar" aria-pressed=${prediction.index === chosen}
              title=${hint ? hint(prediction) : nothing}
                @click=${() => onChoose(prediction)}>${row(prediction)}</button>`
            : html`<div class="bar">${row(prediction)}</div>`
        }
      </li>`,
    )}
  </ol>`;
}
