// What a model is, in a few sentences: its classes, its input, and how it was trained or where it comes from.

import { html, nothing } from "../../html.js";
import { hasText, list, percent, t } from "../../language.js";
import { hasGradients, isMultiLabel } from "../../service/kinds.js";
import { device, isRobust } from "../../service/models.js";
import { isMeasured, LEVELS, originOf, publishedAccuracy } from "./record.js";

/** @typedef {import("../../service/models.js").ModelDetail} ModelDetail */

const MOST_NAMES = 6;
const EXAMPLES = 3;
/** The architecture of a program, which has no name of its own. */
const PROGRAM = "exported";

/** @param {ModelDetail} model */
export function about(model) {
  const { architecture, class_names: names } = model;
  return html`<div class="about">
    ${architecture && names.length ? html`<p>${architectureOf(architecture)} ${classesOf(model)}</p>` : nothing}
    ${model.input_size ? html`<p>${inputOf(model.input_size)}</p>` : nothing}
    ${hasGradients(model) ? nothing : html`<p>${t("models.no-gradients")}</p>`}
    <p>${training(model)}</p>
  </div>`;
}

/** @param {string} architecture */
function architectureOf(architecture) {
  return architecture === PROGRAM ? t("models.program") : t("models.architecture", { architecture });
}

/** @param {ModelDetail} model */
function classesOf(model) {
  const names = model.class_names;
  const few = names.length <= MOST_NAMES;
  const classes = list((few ? names : names.slice(0, EXAMPLES)).map((name) => t("models.class", { name })));
  const kind = isMultiLabel(model) ? "labels" : "what";
  return t(`models.${kind}.${few ? "few" : "many"}`, { count: names.length, classes });
}

/** @param {number | number[]} size the side of a square, or height and width */
function inputOf(size) {
  const [height = 0, width = 0] = typeof size === "number" ? [size, size] : size;
  const key = `models.input.${device().split(":", 1)[0]}`; // the device may be called `cuda:0`
  return t(hasText(key) ? key : "models.input.other", { width, height, device: device() });
}

/** @param {ModelDetail} model */
function training(model) {
  const { recipe, parent, source } = originOf(model);
  if (source) return imported(model, source);
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

/**
 * Where an imported model comes from.
 * @param {ModelDetail} model
 * @param {import("./record.js").Source} source
 */
function imported(model, { kind = "", name = "", file = "", licence = "unknown" }) {
  const key = `models.source.${kind}`;
  const sentences = [t(hasText(key) ? key : "models.source.other", { name: name || file })];
  sentences.push(licence === "unknown" ? t("models.licence.unknown") : t("models.licence", { licence }));
  if (!isMeasured(model)) sentences.push(t("models.not-measured"));
  return sentences.join(" ");
}
