// The room "Models": the served models side by side, as exhibits, and how visitors train one of their own.

import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { workNotice } from "../../parts/problem.js";
import { detail, loadDetail, models } from "../../service/models.js";
import { Work } from "../../work.js";
import { card } from "./card.js";
import { download } from "./download.js";
import { isMeasured } from "./record.js";
import { trainSection } from "./train.js";

/** What is known about all models that are ready. @type {Work<unknown>} */
const details = new Work();

/** Asks what is known about the models that are ready. */
export function refresh() {
  const ready = models()
    .filter(({ state }) => state === "ready")
    .map(({ name }) => name);
  if (ready.length) details.start(ready.join("\n"), () => Promise.all(ready.map(loadDetail)));
}

/** Ends the work of this room. */
export function leave() {
  download.reset();
}

/**
 * What is known about a model that is ready.
 * @param {import("./card.js").ModelSummary} model
 */
function detailOf({ name, state }) {
  return state === "ready" ? detail(name) : undefined;
}

/** The room. */
export function view() {
  const known = models();
  const waits = known.some((model) => model.state === "ready" && !detailOf(model)) || known.length === 0;
  const all = known.flatMap((model) => detailOf(model) ?? []);
  const measured = known.filter((model) => isMeasured(detailOf(model)));
  const others = known.filter((model) => !measured.includes(model));
  const show = (/** @type {import("./card.js").ModelSummary} */ model) => card(model, detailOf(model), all);
  return html`<div class="models">
    <div class="models-head">
      <h1>${t("models.title")}</h1>
      <p class="lead">${t("models.lead")}</p>
      ${workNotice(details, () => details.reset())}
    </div>
    ${
      waits
        ? html`<p class="models-wait">${details.state === "failed" ? nothing : t("models.waiting")}</p>`
        : html`
          ${
            measured.length > 1
              ? html`<div class="exhibits measured">${measured.map(show)}</div>
                ${others.length ? html`<div class="exhibits">${others.map(show)}</div>` : nothing}`
              : html`<div class="exhibits ${measured.length && others.length > 1 ? "led" : ""}">
                ${[...measured, ...others].map(show)}</div>`
          }
          ${trainSection()}`
    }
  </div>`;
}
