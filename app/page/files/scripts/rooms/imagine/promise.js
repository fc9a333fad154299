// Why the score that the plain recipe reaches is not that of its picture: what was promised, and what was kept.

import { html, nothing } from "../../html.js";
import { probabilityText, t } from "../../language.js";
import { cssVariables } from "../../parts/css_variables.js";
import { picked } from "./verdict.js";

/** @typedef {import("./pictures.js").IdealResult} IdealResult */

/** A loss from which on the sentence says that something was lost. */
const NOTABLE = 0.01;

/**
 * The section below the two pictures.
 * @param {IdealResult} own the default method's
 * @param {IdealResult} recipe
 */
export function promises(own, recipe) {
  const { promised, probability, robust } = picked(recipe, 0).score;
  const left = probability ?? 0;
  const lost = promised - left >= NOTABLE ? "lost" : promised - robust >= NOTABLE ? "views-only" : "held";
  const values = {
    label: recipe.label,
    promised: probabilityText(promised),
    left: probabilityText(left),
    robust: probabilityText(robust),
  };
  return html`<section class="promises">
    <h2>${t("promise.title")}</h2>
    <p class="lead">${t("promise.lead")}</p>
    <div class="cards">
      ${card(t("promise.recipe"), recipe, t(`promise.${lost}`, values))}
      ${card(t("promise.own"), own, t("promise.own-text"))}
    </div>
  </section>`;
}

/**
 * @param {string} title
 * @param {IdealResult} result
 * @param {string} text
 */
function card(title, result, text) {
  const { promised, probability, robust, transfer } = picked(result, 0).score;
  return html`<section class="card">
    <h3>${title}</h3>
    <dl class="kept-bars">
      ${bar(t("promise.reached"), promised, true)}
      ${bar(t("promise.saved"), probability ?? 0)}
      ${bar(t("promise.views"), robust)}
      ${transfer ? bar(t("promise.judge", { model: transfer.model }), transfer.probability) : nothing}
    </dl>
    <p>${text}</p>
  </section>`;
}

/**
 * @param {string} name
 * @param {number} share
 * @param {boolean} [promise] whether this is what the ascent reached, and not a property of the file
 */
function bar(name, share, promise = false) {
  return html`<div class=${promise ? "promised" : ""}>
    <dt>${name}</dt>
    <dd><span class="figure">${probabilityText(share)}</span>
      <span class="bar-track" aria-hidden="true">
        <span class="bar-fill" ${cssVariables({ "--share": share })}></span></span></dd>
  </div>`;
}
