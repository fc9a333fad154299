// A model card as a file. It is fetched with the visitor's key, which a plain link would not send.

import { redraw } from "../../drawing.js";
import { send } from "../../service/requests.js";
import { Work } from "../../work.js";

const KEPT_MS = 1000;
/** The download under way or the last one; its key is the name of the model. @type {Work<string>} */
export const download = new Work();

/**
 * Downloads the card of a model.
 * @param {string} model
 */
export function downloadCard(model) {
  download.reset(); // so that the same card can be downloaded again
  download.start(model, async (waiting) => {
    const path = `models/${model.split("/").map(encodeURIComponent).join("/")}/card`;
    const file = await (await send({ path }, waiting)).blob();
    save(file, `${model.replaceAll("/", "-")}.md`);
    return model;
  });
  redraw();
}

/**
 * @param {Blob} file
 * @param {string} name
 */
function save(file, name) {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
