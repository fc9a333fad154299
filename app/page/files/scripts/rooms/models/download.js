// A model card as a file. It is fetched with the visitor's key, which a plain link would not send.

import { save } from "../../parts/files.js";
import { modelPath } from "../../service/models.js";
import { file } from "../../service/requests.js";
import { Work } from "../../work.js";

/** The download under way or the last one; its key is the name of the model. @type {Work<string>} */
export const download = new Work();

/**
 * Downloads the card of a model.
 * @param {string} model
 */
export function downloadCard(model) {
  download.reset(); // so that the same card can be downloaded again
  download.start(model, async (waiting) => {
    const card = await file({ path: `${modelPath(model)}/card` }, waiting);
    save(card, `${model.replaceAll("/", "-")}.md`);
    return model;
  });
}
