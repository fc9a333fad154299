// What the figures of a picture say, in sentences.

import { html, nothing } from "../../html.js";
import { number, percent, probabilityText, t } from "../../language.js";
import { isMultiLabel } from "../../service/kinds.js";
import { detail } from "../../service/models.js";

/** @typedef {import("../../../../types/schemas.d.ts").IdealResult} IdealResult */
/** @typedef {IdealResult["pictures"][number]} OnePicture */

const SURE = 0.5;
const HELD = 0.9;

/**
 * One of the pictures of a result; the first if there is no such one.
 * @param {IdealResult} result
 * @param {number} pick
 * @returns {OnePicture}
 */
export function picked(result, pick) {
  return /** @type {OnePicture} */ (result.pictures[pick] ?? result.pictures[0]);
}

/**
 * The picture as a data URL: of a single picture the result itself has it.
 * @param {IdealResult} result
 * @param {number} pick
 */
export function imageOf(result, pick) {
  return picked(result, pick).image ?? result.image;
}

/**
 * What the picture shows: the class, or the channel in words.
 * @param {IdealResult} result
 */
export function subjectOf({ label, layer, channel }) {
  return layer ? t("ideal.channel-name", { channel: String(channel), layer }) : label;
}

/**
 * What the model makes of the picture that it has drawn.
 * @param {IdealResult} result
 * @param {number} pick
 */
export function verdictOf(result, pick) {
  const { model, label, channel, layer } = result;
  const { score } = picked(result, pick);
  if (score.probability === null) return channelVerdict(String(channel), layer ?? "", score);
  const values = { model, label, share: probabilityText(score.probability), rank: score.rank ?? 0 };
  if (isMultiLabel(detail(model))) {
    return t(score.probability >= SURE ? "ideal.recognised" : "ideal.label-not-found", values);
  }
  if (score.rank !== 1) return t("ideal.not-recognised", values);
  return t(score.probability >= SURE ? "ideal.recognised" : "ideal.hardly-recognised", values);
}

/**
 * @param {string} channel
 * @param {string} layer
 * @param {OnePicture["score"]} score
 */
function channelVerdict(channel, layer, score) {
  const [activation, noise] = [score.activation ?? 0, score.on_noise ?? 0];
  const values = { channel, layer, activation: number(activation, 3), noise: number(noise, 3) };
  const ratio = number(activation / noise, 1);
  if (noise > 0 && activation > noise) return t("ideal.channel-ratio", { ...values, ratio });
  return t(activation > noise ? "ideal.channel-more" : "ideal.channel-less", values);
}

/**
 * What withstands a change of the view, and what another model sees.
 * @param {IdealResult} result
 * @param {number} pick
 */
export function sentencesOf(result, pick) {
  const { score } = picked(result, pick);
  const weakest = t(`family.${score.weakest}`);
  // What is left of a response may be more than all of it, or less than nothing.
  const share = score.probability === null ? percent : probabilityText;
  const lowest = share(score.families[score.weakest] ?? 0);
  const held = score.robust >= HELD ? "held" : score.robust >= SURE ? "partly" : "lost";
  const kind = score.probability === null ? "activation" : held;
  const sentences = [t(`ideal.views.${kind}`, { share: share(score.robust), weakest, lowest })];
  if (score.transfer) {
    const { model, label, probability, rank } = score.transfer;
    const values = {
      judge: model,
      model: result.model,
      other: label,
      label: result.label,
      share: probabilityText(probability),
    };
    sentences.push(t(rank === 1 ? "ideal.transfer.same" : "ideal.transfer.other", values));
  }
  return sentences;
}

/**
 * The sentences as a list, and why the picture failed if it did.
 * @param {IdealResult} result
 * @param {number} pick
 */
export function findings(result, pick) {
  const { reason } = picked(result, pick);
  return html`<ul class="figures">${sentencesOf(result, pick).map((sentence) => html`<li>${sentence}</li>`)}</ul>
    ${
      reason
        ? html`<div class="notice"><p>${t("ideal.reason")}</p><p class="detail" lang="en">${reason}</p></div>`
        : nothing
    }`;
}
