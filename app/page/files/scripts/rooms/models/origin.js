// What a model learned from, and its card as a file.

import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { workNotice } from "../../parts/problem.js";
import { download, downloadCard } from "./download.js";
import { originOf } from "./record.js";
import { date } from "./words.js";

/** @typedef {import("../../service/models.js").ModelDetail} ModelDetail */

const SPLITS = /** @type {const} */ (["train", "validation", "test"]);

/** @param {ModelDetail} model */
export function origin(model) {
  const sentences = sentencesOf(model);
  if (!sentences.length && !model.card) return nothing;
  return html`<section>
    ${
      sentences.length
        ? html`<h3>${t("models.origin.title")}</h3>
          <ul class="origin">${sentences.map((sentence) => html`<li>${sentence} </li>`)}</ul>`
        : nothing
    }
    ${originOf(model).parent?.split_differs ? html`<p class="notice">${t("models.origin.seen")}</p>` : nothing}
    ${
      model.card
        ? html`<p class="actions"><button type="button" aria-label=${t("models.card.spoken", { model: model.name })}
            @click=${() => downloadCard(model.name)}>${t("models.card")}</button></p>`
        : nothing
    }
    ${download.key === model.name ? workNotice(download, () => downloadCard(model.name)) : nothing}
  </section>`;
}

/** @param {ModelDetail} model */
function sentencesOf(model) {
  const { data, parent, created, recipe } = originOf(model);
  if (!recipe) return []; // it was not trained by Mirage: the first sentences about it say where it comes from
  const sentences = [];
  if (data?.name) sentences.push(t("models.origin.data", { name: data.name }));
  for (const split of SPLITS) {
    const photos = data?.photos?.[split]; // those of each class
    if (photos) sentences.push(t(`models.origin.${split}`, { count: photos.reduce((sum, count) => sum + count, 0) }));
  }
  if (parent?.name) {
    const { name, licence = "" } = parent;
    sentences.push(t(licence ? "models.origin.parent-licence" : "models.origin.parent", { name, licence }));
  }
  if (created) sentences.push(t("models.origin.created", { date: date(created) }));
  return sentences;
}
