// Two charts of a model, with the same axes for all models: calibration, and accuracy under attack.

import { html, nothing } from "../../html.js";
import { hasText, number, percent, t } from "../../language.js";
import { chart } from "../../parts/chart.js";
import { budget, calibration, inLevels, metricsOf, robustnessOf } from "./record.js";

/** @typedef {import("./record.js").ModelDetail} ModelDetail */

/** @param {ModelDetail} model */
export function calibrationChart(model) {
  const bins = calibration(model);
  const { ece } = metricsOf(model);
  if (!bins.length) return nothing;
  const spoken = bins.map(({ photos, confidence, accuracy }) =>
    t("models.calibration.bin", { count: photos, confidence: percent(confidence), accuracy: percent(accuracy) }),
  );
  return html`<section>
    <h3>${t("models.calibration.title")}</h3>
    ${chart({
      label: t("models.calibration.spoken", { model: model.name, bins: spoken.join("; ") }),
      yLabel: t("models.chart.accuracy"),
      xLabel: t("models.calibration.axis"),
      xMax: 1,
      formatX: (share) => percent(share, 0),
      diagonal: true,
      legend: false,
      // Each dot is a line of its own: between two of them nothing was measured.
      lines: bins.map(({ confidence, accuracy, interval: [low, high] }) => ({
        name: percent(confidence),
        points: [{ x: confidence, y: accuracy }],
        tone: "accent",
        dots: true,
        intervals: [{ x: confidence, low, high }],
      })),
    })}
    ${ece === undefined ? nothing : html`<p>${t("models.calibration.error", { points: number(ece * 100, 1) })}</p>`}
    <p class="hint">${t("models.calibration.hint")}</p>
  </section>`;
}

/**
 * @param {ModelDetail} model
 * @param {number} xMax the largest budget of all models
 */
export function robustnessChart(model, xMax) {
  const robustness = robustnessOf(model);
  if (!robustness) return nothing;
  const { attack, options, photos, curve } = robustness;
  const points = curve.map(({ epsilon, accuracy }) => ({ x: budget(robustness, epsilon), y: accuracy }));
  const intervals = curve.flatMap(({ epsilon, interval }) =>
    interval ? [{ x: budget(robustness, epsilon), low: interval[0], high: interval[1] }] : [],
  );
  const unit = inLevels(robustness) ? "levels" : "other";
  const spoken = points.map(({ x, y }) => t(`models.robustness.point.${unit}`, { count: x, accuracy: percent(y) }));
  const name = hasText(`attack.${attack}`) ? t(`attack.${attack}`) : attack;
  const fewer = points[0]?.x === 0 && photos !== undefined && photos < (metricsOf(model).photos ?? 0);
  const known = options?.steps === undefined || photos === undefined ? "unknown" : "known";
  return html`<section>
    <h3>${t("models.robustness.title")}</h3>
    ${chart({
      label: t("models.robustness.spoken", { model: model.name, points: spoken.join("; ") }),
      yLabel: t("models.chart.accuracy"),
      xLabel: t(`models.robustness.axis.${unit}`, { norm: robustness.norm ?? "" }),
      xMax,
      ticks: points.map(({ x }) => x),
      legend: false,
      lines: [{ name: model.name, points, tone: "accent", dots: true, intervals }],
    })}
    <p>${t(`models.robustness.attack.${known}`, { attack: name, steps: options?.steps ?? 0, count: photos ?? 0 })}</p>
    <p class="hint">${t("models.robustness.hint")}</p>
    ${fewer ? html`<p class="hint">${t("models.robustness.fewer")}</p>` : nothing}
  </section>`;
}

/**
 * The largest budget of the models whose budgets have the same unit as that of `model`.
 * @param {ModelDetail} model
 * @param {readonly ModelDetail[]} models
 */
export function largestBudget(model, models) {
  const norm = robustnessOf(model)?.norm;
  const budgets = models.flatMap((other) => {
    const robustness = robustnessOf(other);
    return robustness?.norm === norm ? (robustness?.curve.map(({ epsilon }) => budget(robustness, epsilon)) ?? []) : [];
  });
  return Math.max(...budgets, 1e-9);
}
