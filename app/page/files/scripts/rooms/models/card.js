// The exhibit of one model: what it is, how often it is right, where it errs, and what it learned from.

import * as address from "../../address.js";
import { announce } from "../../drawing.js";
import { html, nothing } from "../../html.js";
import { percent, t } from "../../language.js";
import { hasGradients } from "../../service/kinds.js";
import { isUsable, modelName } from "../../service/models.js";
import { about } from "./about.js";
import { calibrationChart, largestBudget, robustnessChart } from "./charts.js";
import { origin } from "./origin.js";
import { budget, inLevels, isMeasured, metricsOf, robustnessOf, typical, weakest } from "./record.js";

/** @typedef {import("../../service/models.js").ModelDetail} ModelDetail */
/** @typedef {import("../../service/models.js").ModelSummary} ModelSummary */

const MOST_WEAK = 3;

/**
 * @param {ModelSummary} summary
 * @param {ModelDetail | undefined} model what is known about it; undefined if it could not be loaded
 * @param {readonly ModelDetail[]} all the models that it is compared with
 */
export function card(summary, model, all) {
  const inUse = summary.name === modelName();
  return html`<article class="model ${inUse ? "in-use" : ""}" aria-label=${summary.name}>
    <div>
      <div class="model-title">
        <h2>${summary.name}</h2>
        ${isUsable(summary.state) ? useButton(summary.name, inUse) : nothing}
      </div>
      ${model ? html`${about(model)} ${reason(summary)}` : state(summary)}
    </div>
    ${
      model && isMeasured(model)
        ? html`${largeFigures(model)}
          <div class="charts">${calibrationChart(model)} ${robustnessChart(model, largestBudget(model, all))}</div>
          ${errors(model)}`
        : nothing
    }
    ${model ? origin(model) : nothing}
  </article>`;
}

/**
 * @param {string} model
 * @param {boolean} inUse
 */
function useButton(model, inUse) {
  const key = inUse ? "models.in-use" : "models.use";
  const use = () => {
    address.change({ model });
    announce(t("models.used", { model }));
  };
  return html`<button type="button" class=${inUse ? "chosen" : ""} aria-label=${t(`${key}.spoken`, { model })}
    @click=${use}>${t(key)}</button>`;
}

/** @param {ModelSummary} summary */
function state({ state, problem }) {
  if (state === "loading") return html`<p>${t("models.loading")}</p>`;
  if (state !== "failed") return nothing;
  return html`<p>${t("models.failed")}</p>${reason({ problem })}`;
}

/**
 * What is wrong with a model, such as a newer file that was refused; the service says it in English.
 * @param {Pick<ModelSummary, "problem">} summary
 */
function reason({ problem }) {
  return problem ? html`<p class="notice" lang="en">${problem}</p>` : nothing;
}

/** @param {ModelDetail} model */
function largeFigures(model) {
  const { accuracy = 0, interval, correct, photos } = metricsOf(model);
  const robustness = robustnessOf(model);
  const attacked = robustness && typical(robustness);
  const counted = correct !== undefined && photos !== undefined && interval;
  return html`<dl class="large-figures">
    <div><dt>${t("models.accuracy")}</dt><dd class="large">${percent(accuracy)}</dd>
      <dd>${counted ? t("models.accuracy.counted", { correct, count: photos, ...ends(interval) }) : nothing}</dd></div>
    ${
      attacked
        ? html`<div><dt>${t("models.attacked")}</dt><dd class="large">${percent(attacked.accuracy)}</dd>
          <dd>${
            inLevels(robustness) && attacked.interval
              ? t("models.attacked.levels", { count: budget(robustness, attacked.epsilon), ...ends(attacked.interval) })
              : nothing
          }</dd></div>`
        : nothing
    }
  </dl>`;
}

/** @param {import("./record.js").Interval} interval */
function ends([low, high]) {
  return { low: percent(low), high: percent(high) };
}

/** @param {ModelDetail} model */
function errors(model) {
  // Without the figures an empty row stays, so that the next part is level with that of the exhibit beside it.
  if (!metricsOf(model).per_class) return html`<div></div>`;
  const classes = weakest(model, MOST_WEAK);
  return html`<section>
    <h3>${t("models.errors.title")}</h3>
    ${
      classes.length
        ? html`<ul class="errors">${classes.map((row) => html`<li>${weakClass(model, row)}</li>`)}</ul>`
        : html`<p>${t("models.errors.none")}</p>`
    }
  </section>`;
}

/**
 * @param {ModelDetail} model
 * @param {import("./record.js").WeakClass} row
 */
function weakClass(model, { label, photos, accuracy, other, times }) {
  const known = { label, photos, accuracy: percent(accuracy) };
  return html`<p>${
    other === undefined
      ? t("models.errors.class", { ...known, count: photos })
      : t("models.errors.taken", { ...known, other, count: times ?? 0 })
  }</p>
    ${
      hasGradients(model)
        ? html`<a href=${address.link("imagine", { model: model.name, subject: "class", class: label, run: "1" })}>
          ${t("models.errors.imagine", { label })}</a>`
        : nothing
    }`;
}
