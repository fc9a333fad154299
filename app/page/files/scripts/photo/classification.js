// What the model says about the photo. The rooms See and Fool both show it.

import { currentPhoto } from "./photo.js";
import { isFound, isMultiLabel, MOST_CLASSES } from "../service/kinds.js";
import { detail, loadDetail, modelName } from "../service/models.js";
import { json } from "../service/requests.js";
import { announce } from "../drawing.js";
import { list, probabilityText, t } from "../language.js";
import { Work } from "../work.js";

/** @typedef {import("../../../types/schemas.d.ts").Classification} Classification */

/** How many classes are shown, the most probable ones. */
export const TOP = 5;
/** @type {Work<Classification>} */
export const classification = new Work();

/** The request for the current photo and model; null before both are known. */
export function classifyCall() {
  const photo = currentPhoto();
  const model = modelName();
  return photo && model
    ? { path: "classify", image: photo.blob, name: photo.name, options: { model, top: topOf(model) } }
    : null;
}

/**
 * How many classes are asked for: all labels of a model that may find several in a photo.
 * @param {string} model
 */
function topOf(model) {
  return isMultiLabel(detail(model)) ? MOST_CLASSES : TOP;
}

/** Classifies the photo, unless that is done or under way. A failed classification is not tried again by itself. */
export function classify() {
  const call = classifyCall();
  if (!call && classification.state !== "idle") classification.reset(); // the photo is gone
  if (!call) return;
  classification.start(keyNow(), async (waiting) => {
    const { model } = call.options;
    await loadDetail(model).catch(() => undefined); // the service says what is wrong when it classifies
    const options = { model, top: topOf(model) };
    const result = await /** @type {Promise<Classification>} */ (json({ ...call, options }, waiting));
    announce(sightOf(result, "see.spoken"));
    return result;
  });
}

/**
 * What a model sees, in a sentence: the most probable class, or every label that it finds.
 * @param {Classification} result
 * @param {"see.verdict" | "see.spoken"} key of the sentence about classes
 */
export function sightOf({ model, predictions }, key = "see.verdict") {
  const top = predictions[0];
  if (!top) return "";
  const values = { model, label: top.label, share: probabilityText(top.probability) };
  if (!isMultiLabel(detail(model))) return t(key, values);
  const labels = predictions
    .filter(isFound)
    .map(({ label, probability }) => `${label} ${probabilityText(probability)}`);
  return labels.length ? t("see.labels", { model, labels: list(labels) }) : t("see.labels.none", values);
}

/** Whether the classification is that of the current photo and model. */
export function isClassified() {
  return classification.state === "done" && classification.key === keyNow();
}

function keyNow() {
  return `${currentPhoto()?.id} ${modelName()}`;
}

/** The most probable class of the photo; undefined before it is known. */
export function topClass() {
  return classification.result?.predictions[0];
}
