// What a model is, in a few sentences: its classes, its input, and how it was trained.

import { html, nothing } from "../../html.js";
import { hasText, percent, t } from "../../language.js";
import { device, isRobust } from "../../service/models.js";
import { LEVELS, originOf, publishedAccuracy } from "./record.js";
import { list } from "./words.js";

/** @typedef {import("../../service/models.js").ModelDetail} ModelDetail */

const MOST_NAMES = 6;
const EXAMPLES = 3;

/** @param {ModelDetail} model */
export function about(model) {
  const { class_names: names, architecture, input_size: size } = model;
  const few = names.length <= MOST_NAMES;
  const classes = list((few ? names : names.slice(0, EXAMPLES)).map((name) => t("models.class", { name })));
  const what = few ? "models.what.few" : "models.what.many";
  const input = `models.input.${device().split(":", 1)[0]}`; // the device may be called `cuda:0`
  return html`<div class="about">
    ${architecture && names.length ? html`<p>${t(what, { architecture, count: names.length, classes })}</p>` : nothing}
    ${size ? html`<p>${t(hasText(input) ? input : "models.input.other", { size, device: device() })}</p>` : nothing}
    <p>${training(model)}</p>
  </div>`;
}

/** @param {ModelDetail} model */
function training(model) {
  const { recipe, parent } = originOf(model);
  if (isRobust(model)) {
    const levels = Math.round((recipe?.epsilon ?? 0) * LEVELS * 10) / 10;
    return levels ? t("models.robust.levels", { count: levels }) : t("models.robust");
  }
  if (recipe) return t("models.usual");
  const weights = parent?.name;
  const published = publishedAccuracy(model);
  if (weights && published) {
    return t("models.published", { weights, data: published.data, accuracy: percent(published.accuracy) });
  }
  return weights ? t("models.weights", { weights }) : t("models.unmeasured");
}
