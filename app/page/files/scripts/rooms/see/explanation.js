// On which parts of the photo the prediction rests.

import * as address from "../../address.js";
import { currentPhoto } from "../../photo/photo.js";
import { modelName } from "../../service/models.js";
import { json } from "../../service/requests.js";
import { announce } from "../../drawing.js";
import { t } from "../../language.js";
import { Work } from "../../work.js";

/** @typedef {import("../../../../types/schemas.d.ts").ExplainResult} ExplainResult */

export const METHODS = /** @type {const} */ (["grad_cam", "smooth_grad", "integrated_gradients"]);
/** @type {Work<ExplainResult>} */
export const explanation = new Work();

/** The request for the current photo, model, class and method; null before the photo and the model are known. */
export function explainCall() {
  const photo = currentPhoto();
  const model = modelName();
  if (!photo || !model) return null;
  const options = { model, target: address.value("why"), method: address.choice("method", METHODS) };
  return { path: "explain", image: photo.blob, name: photo.name, options };
}

/** Explains the prediction, unless that is done or under way. */
export function explain() {
  const call = explainCall();
  const key = JSON.stringify([currentPhoto()?.id, call?.options]);
  if (!call && explanation.state !== "idle") explanation.reset(); // the photo is gone
  if (!call) return;
  explanation.start(key, async (waiting) => {
    /** @type {ExplainResult} */
    const result = await json({ ...call, options: { ...call.options, format: "json" } }, waiting);
    announce(t(`why.${result.method}`, { label: result.target.label }));
    return result;
  });
}
