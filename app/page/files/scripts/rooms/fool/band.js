// What is seen below the photo while an attack runs: the amplified change, and the probabilities step by step.

import { html, nothing } from "../../html.js";
import { probabilityText, t } from "../../language.js";
import { chart } from "../../parts/chart.js";
import { cssVariables } from "../../parts/css_variables.js";
import { classification, TOP, topClass } from "../../photo/classification.js";
import { photoSize } from "../../photo/photo.js";
import { isMultiLabel } from "../../service/kinds.js";
import { detail, modelName } from "../../service/models.js";
import { attack, isCurrent } from "./attack.js";
import { choices } from "./options.js";

/**
 * The amplified change.
 * @param {import("./attack.js").AdversarialResult | null} result
 */
export function changeFrame(result) {
  const { width, height } = photoSize();
  const image = result?.perturbation ?? attack.latest?.change;
  return html`<figure class="small-frame">
    <div class="frame" ${cssVariables({ "--ratio": width / height })}>
      ${image && (result || attack.work.running) ? html`<img src=${image} alt=${t("fool.change-alt")}>` : nothing}
    </div>
    <figcaption>${t("fool.change")}</figcaption>
  </figure>`;
}

/** The probabilities of the classes, step by step. */
export function probabilities() {
  const latest = isCurrent() ? attack.latest : null;
  const before = { step: 0, probabilities: (classification.result?.predictions ?? []).slice(0, TOP) };
  const moments = isCurrent() ? [before, ...attack.moments] : [before];
  const original = topClass()?.index;
  const last = moments.at(-1)?.probabilities ?? [];
  const goal = last.find(({ index }) => index !== original)?.index;
  /** @type {Map<number, import("../../parts/chart.js").Line & {points: {x: number, y: number}[]}>} */
  const lines = new Map();
  for (const { step, probabilities } of moments) {
    for (const { index, label, probability } of probabilities) {
      const tone = index === original ? "ink" : index === goal ? "accent" : "faint";
      if (!lines.has(index)) lines.set(index, { name: label, points: [], tone });
      lines.get(index)?.points.push({ x: step, y: probability });
    }
  }
  const shown = [...lines.entries()].filter(([index]) => last.some((prediction) => prediction.index === index));
  return html`<div>${chart({
    label: t("fool.chart-spoken", {
      classes: last.map(({ label, probability }) => `${label} ${probabilityText(probability)}`).join(", "),
    }),
    yLabel: t("fool.chart"),
    xLabel: t("fool.chart-step"),
    lines: shown.map(([, line]) => line),
    xMax: Math.max(latest?.steps ?? 0, moments.at(-1)?.step ?? 0, 1),
  })}
    <p class="hint">${t(`fool.chart-hint.${isMultiLabel(detail(modelName())) ? "label" : choices().mode}`)}</p></div>`;
}
