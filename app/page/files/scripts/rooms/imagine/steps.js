// The chart of the score, step by step: of one picture, or of two on a common axis.

import { html, nothing } from "../../html.js";
import { number, percent, probabilityText, t } from "../../language.js";
import { chart } from "../../parts/chart.js";
import { beside, main } from "./pictures.js";

/** @typedef {import("./pictures.js").AnyDrawing} Drawing */

/** @param {import("./options.js").Choices} chosen */
export function stepsChart(chosen) {
  const drawings = chosen.beside === "none" ? [main] : [main, beside];
  const first = drawings[0]?.call;
  const channel = first ? first.options?.layer !== undefined : chosen.subject === "channel";
  const two = drawings.length > 1;
  const empty = drawings.every(({ points }) => !points.length);
  // Activations have no upper bound: they are drawn as shares of the highest one.
  const highest = channel ? Math.max(...drawings.flatMap(({ points }) => points.map(({ y }) => y)), 1e-9) : 1;
  const hint = channel ? "steps.hint-channel" : chosen.beside === "recipe" ? "steps.hint-recipe" : "steps.hint";
  const title = !channel ? "steps.probability" : empty ? "steps.response" : "steps.activation";
  const lines = drawings.map((drawing, index) => ({
    name: nameOf(drawing, index),
    tone: /** @type {"accent" | "ink"} */ (index ? "ink" : "accent"),
    points: drawing.points.map(({ x, y }) => ({ x: two ? x / Math.max(drawing.steps, 1) : x, y: y / highest })),
  }));
  return html`<div class="steps">
    ${chart({
      label: t(empty ? "steps.none" : channel ? "steps.spoken-channel" : "steps.spoken", {
        shares: lastShares(lines, channel),
      }),
      yLabel: t(title, { highest: number(highest) }),
      xLabel: t(two ? "steps.share" : "steps.step"),
      xMax: two ? 1 : Math.max(main.steps, main.work.result?.pictures[0]?.steps ?? 0, 1),
      formatY: channel ? (y) => percent(y) : probabilityText,
      formatX: two ? (x) => percent(x, 0) : number,
      lines: lines.filter(({ points }) => points.length),
    })}
    ${empty && main.work.state === "done" ? html`<p class="stored">${t("steps.stored")}</p>` : nothing}
    <p class="hint">${t(hint, { model: chosen.model })}</p>
    ${channel ? nothing : html`<p class="hint">${t("steps.early")}</p>`}
  </div>`;
}

/**
 * @param {Drawing} drawing
 * @param {number} index
 */
function nameOf({ call }, index) {
  const { model, method } = call?.options ?? {};
  if (index && method === "pixel") return t("beside.recipe");
  return String(model ?? "");
}

/**
 * @param {readonly {name: string, points: readonly {y: number}[]}[]} lines
 * @param {boolean} channel
 */
function lastShares(lines, channel) {
  const text = channel ? percent : probabilityText;
  return lines.map(({ name, points }) => `${name} ${text(points.at(-1)?.y ?? 0)}`).join(", ");
}
