// "Train your own": the commands that make a model from the visitor's photos, and show it here.

import * as address from "../../address.js";
import { html, live } from "../../html.js";
import { t } from "../../language.js";
import { block } from "../../parts/code.js";
import { models } from "../../service/models.js";
import { baseName, modelNameFor, trainCommand, visible } from "./command.js";

const EXAMPLE = "photos";

/** The section below the models. */
export function trainSection() {
  const folder = visible(address.value("folder")) || EXAMPLE;
  const name = modelNameFor(
    folder,
    models().map((model) => model.name),
  );
  const tree = t("train.tree", { folder: baseName(folder) || EXAMPLE });
  const type = (/** @type {Event} */ event) =>
    address.change({ folder: /** @type {HTMLInputElement} */ (event.target).value }, { replace: true });
  return html`<section class="train">
    <div class="train-head">
      <h2>${t("train.title")}</h2>
      <p class="lead">${t("train.lead")}</p>
    </div>
    <div>
      <h3>${t("train.photos")}</h3>
      <p>${t("train.layout")}</p>
      <pre class="tree" tabindex="0" aria-label=${t("train.tree-label")}>${tree}</pre>
      <label class="field"><span>${t("train.folder")}</span>
        <input type="text" name="folder" spellcheck="false" autocapitalize="off" autocomplete="off"
          placeholder=${EXAMPLE} .value=${live(address.value("folder"))} @input=${type}></label>
    </div>
    <div class="train-commands">
      <h3>${t("train.commands")}</h3>
      <p>${t("train.where")}</p>
      ${block("train", t("train.train"), trainCommand(folder, name), t("train.copy-train"))}
      ${block("serve", t("train.serve"), "make serve", t("train.copy-serve"))}
      <p>${t("train.after", { model: name })}</p>
    </div>
  </section>`;
}
