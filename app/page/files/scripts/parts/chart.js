// A line chart of values from 0 to 1, drawn as SVG: it takes the page's colours, and a screen reader can describe it.

import { html, nothing, svg } from "../html.js";
import { number, percent, probabilityText } from "../language.js";
import { cssVariables } from "./css_variables.js";

/** @typedef {{x: number, y: number}} Point */
/**
 * @typedef {object} Line
 * @property {string} name
 * @property {readonly Point[]} points
 * @property {"accent" | "ink" | "faint"} tone
 * @property {boolean} [dots] whether each point is marked
 * @property {readonly {x: number, low: number, high: number}[]} [intervals] bars of uncertainty
 */
/**
 * @typedef {object} Chart
 * @property {string} label what the chart shows, for screen readers
 * @property {string} xLabel
 * @property {string} [yLabel]
 * @property {readonly Line[]} lines
 * @property {number} xMax
 * @property {readonly number[]} [ticks] values of x, rising, that are written below the chart; only its ends if missing
 * @property {(x: number) => string} [formatX]
 * @property {(y: number) => string} [formatY] of the values in the legend
 * @property {boolean} [diagonal] whether to draw the line of equal x and y
 * @property {boolean} [legend]
 */

const GRID = [0, 0.25, 0.5, 0.75, 1];
/** The smallest distance between two values below the chart, as a share of its width. */
const TICK_DISTANCE = 0.1;

/** @param {Chart} chart */
export function chart(chart) {
  const { label, xLabel, yLabel, lines, xMax, ticks, diagonal = false, legend = true } = chart;
  const { formatX = (x) => number(x), formatY = probabilityText } = chart;
  const span = Math.max(xMax, 1e-9);
  const x = (/** @type {number} */ value) => (value / span) * 100;
  const y = (/** @type {number} */ value) => 100 - Math.min(1, Math.max(0, value)) * 100;
  const path = (/** @type {readonly Point[]} */ points) =>
    points.map((point, index) => `${index ? "L" : "M"}${x(point.x).toFixed(2)} ${y(point.y).toFixed(2)}`).join("");
  return html`<figure class="chart">
    ${yLabel ? html`<p class="chart-y-label">${yLabel}</p>` : nothing}
    <div class="chart-area">
      <div class="chart-y"
        aria-hidden="true">${[...GRID].reverse().map((share) => html`<span>${percent(share, 0)}</span>`)}</div>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label=${label}>
        ${GRID.map((share) => svg`<line class="grid" x1="0" x2="100" y1=${y(share)} y2=${y(share)} />`)}
        ${diagonal ? svg`<line class="diagonal" x1="0" y1="100" x2="100" y2="0" />` : nothing}
        ${inFront(lines).map(
          (line) => svg`
            ${(line.intervals ?? []).map(
              (bar) =>
                svg`<line class="line ${line.tone} interval" x1=${x(bar.x)} x2=${x(bar.x)} y1=${y(bar.low)}
                  y2=${y(bar.high)} />`,
            )}
            <path class="line ${line.tone}" d=${path(line.points)} />
            ${
              line.dots
                ? line.points.map(
                    // A line of no length with round ends: a dot that stays round although the drawing is stretched.
                    (point) =>
                      svg`<line class="line dot ${line.tone}" x1=${x(point.x)} x2=${x(point.x)} y1=${y(point.y)}
                        y2=${y(point.y)} />`,
                  )
                : nothing
            }`,
        )}
      </svg>
      ${
        ticks
          ? html`<div class="chart-ticks" aria-hidden="true">${apart(ticks, span * TICK_DISTANCE).map(
              (tick) => html`<span ${cssVariables({ "--left": `${x(tick)}%` })}>${formatX(tick)}</span>`,
            )}</div>
          <div class="chart-x middle" aria-hidden="true"><span>${xLabel}</span></div>`
          : html`<div class="chart-x"
          aria-hidden="true"><span>${formatX(0)}</span><span>${xLabel}</span><span>${formatX(xMax)}</span></div>`
      }
    </div>
    ${
      legend
        ? html`<figcaption class="legend">
          ${lines.map((line) => {
            const last = line.points.at(-1);
            return html`<span class="legend-entry ${line.tone}"><span class="legend-name">${line.name}</span>
              <span class="figure">${last ? formatY(last.y) : ""}</span></span>`;
          })}
        </figcaption>`
        : nothing
    }
  </figure>`;
}

/**
 * The values without those that stand too close to a larger one, so that their texts do not overlap.
 * @param {readonly number[]} values rising
 * @param {number} distance
 */
function apart(values, distance) {
  /** @type {number[]} */
  const kept = [];
  for (const value of [...values].reverse()) {
    const last = kept.at(-1);
    if (last === undefined || last - value >= distance) kept.push(value);
  }
  return kept.reverse();
}

/**
 * The lines in the order in which they are drawn: the one that matters most is not hidden by others.
 * @param {readonly Line[]} lines
 */
function inFront(lines) {
  return [...lines].sort((one, two) => Number(one.tone === "accent") - Number(two.tone === "accent"));
}

/**
 * A progress bar.
 * @param {number} share from 0 to 1
 * @param {string} label
 */
export function progressBar(share, label) {
  return html`<div class="progress" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(share * 100)}><span ${cssVariables({ "--share": share })}></span></div>`;
}
