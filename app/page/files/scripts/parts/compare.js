// Two pictures in one frame, before and after, with a slider between them.

import { html, live } from "../html.js";
import { t } from "../language.js";
import { moved } from "./choices.js";
import { cssVariables } from "./css_variables.js";

/**
 * @param {object} options
 * @param {string} options.before address of the picture on the left
 * @param {string} options.after
 * @param {string} options.beforeText what it shows
 * @param {string} options.afterText
 * @param {number} options.split share of the width that shows `before`, from 0 to 100
 * @param {(split: number, settled: boolean) => void} options.onMove
 */
export function compare({ before, after, beforeText, afterText, split, onMove }) {
  return html`<div class="compare" ${cssVariables({ "--split": `${split}%` })}>
    <img src=${after} alt=${afterText} draggable="false">
    <img class="compare-before" src=${before} alt=${beforeText} draggable="false">
    <span class="compare-label left" aria-hidden="true">${t("compare.before")}</span>
    <span class="compare-label right" aria-hidden="true">${t("compare.after")}</span>
    <span class="compare-line" aria-hidden="true"></span>
    <input type="range" min="0" max="100" .value=${live(String(split))} aria-label=${t("compare.slider")}
      @input=${moved(onMove, false)} @change=${moved(onMove, true)}>
  </div>`;
}
