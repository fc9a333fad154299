// What the model says about the photo. The rooms See and Fool both show it.

import { currentPhoto } from "./photo.js";
import { modelName } from "../service/models.js";
import { json } from "../service/requests.js";
import { announce } from "../drawing.js";
import { probabilityText, t } from "../language.js";
import { Work } from "../work.js";

/** @typedef {import("../../../types/schemas.d.ts").Classification} Classification */

const TOP = 5;
/** @type {Work<Classification>} */
export const classification = new Work();

/** The request for the current photo and model; null before both are known. */
export function classifyCall() {
  const photo = currentPhoto();
  const model = modelName();
  return photo && model
    ? { path: "classify", image: photo.blob, name: photo.name, options: { model, top: TOP } }
    : null;
}

/** Classifies the photo, unless that is done or under way. A failed classification is not tried again by itself. */
export function classify() {
  const call = classifyCall();
  const key = `${currentPhoto()?.id} ${modelName()}`;
  if (!call && classification.state !== "idle") classification.reset(); // the photo is gone
  if (!call) return;
  classification.start(key, async (waiting) => {
    const result = await /** @type {Promise<Classification>} */ (json(call, waiting));
    const top = result.predictions[0];
    if (top)
      announce(t("see.spoken", { model: result.model, label: top.label, share: probabilityText(top.probability) }));
    return result;
  });
}

/** The most probable class of the photo; undefined before it is known. */
export function topClass() {
  return classification.result?.predictions[0];
}
