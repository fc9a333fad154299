// The room "See": what the model takes the photo for, why, and what its layers make of it.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { percent, t } from "../../language.js";
import { bars } from "../../parts/bars.js";
import { code } from "../../parts/code.js";
import { segments, slider } from "../../parts/choices.js";
import { cssVariables } from "../../parts/css_variables.js";
import { workNotice } from "../../parts/problem.js";
import { currentPhoto, photoSize } from "../../photo/photo.js";
import { picker } from "../../photo/picker.js";
import { classReference } from "../../service/classes.js";
import { hasGradients, isMultiLabel } from "../../service/kinds.js";
import { detail, isSettled, modelName } from "../../service/models.js";
import { classification, classify, classifyCall, sightOf, TOP, topClass } from "../../photo/classification.js";
import { explain, explainCall, explanation, METHODS } from "./explanation.js";
import { layersSection, leaveLayers, refreshLayers } from "./layers.js";

/** Starts what is to be seen and is not there yet. */
export function refresh() {
  classify();
  if (isAsked()) explain();
  else explanation.leave();
  refreshLayers();
}

/** Whether the visitor asks why, of a model that can say it. */
function isAsked() {
  return address.value("show") === "why" && isSettled(modelName()) && hasGradients(detail(modelName()));
}

/** Ends the work of this room. */
export function leave() {
  classification.leave();
  explanation.leave();
  leaveLayers();
}

/** The room. */
export function view() {
  const top = topClass();
  const why = isAsked();
  const model = detail(modelName());
  const names = model?.class_names ?? [];
  return html`<div class="exhibit see">
    <section class="stage" aria-label=${t("see.photo")}>
      ${frame(why)}
    </section>
    <section class="label">
      <h1>${t("see.title")}</h1>
      <p class="verdict">${
        classification.result
          ? sightOf(classification.result)
          : classification.state === "failed"
            ? nothing
            : t("see.looking")
      }</p>
      ${workNotice(classification, () => classification.reset())}
      <div class="bars-place">${
        classification.result
          ? bars(classification.result.predictions.slice(0, TOP), {
              chosen: why ? (explanation.result?.target.index ?? top?.index) : top?.index,
              ...(hasGradients(model)
                ? {
                    onChoose: ({ index }) => address.change({ show: "why", why: classReference(names, index) }),
                    hint: ({ label }) => t("see.why-class", { label }),
                  }
                : {}),
            })
          : nothing
      }</div>
      ${isMultiLabel(model) ? html`<p class="hint">${t("see.labels.hint")}</p>` : nothing}
      <p class="actions">
        <a class="button primary" href=${linkToFool()}>${t("see.fool")}</a>
      </p>
      ${hasGradients(model) ? whyControls(why) : html`<p class="hint">${t("why.no-gradients")}</p>`}
      ${codeOf(why)}
    </section>
    <section class="choose">${picker()}</section>
  </div>
  ${layersSection()}`;
}

/** The address of the room "Fool" in which the attack with its default choices runs. */
function linkToFool() {
  return address.link("fool", { target: "", mode: "least", box: "", ...address.NO_RESULT, run: "1" });
}

/** @param {boolean} why */
function frame(why) {
  const photo = currentPhoto();
  const { width, height } = photoSize();
  const opacity = address.number("opacity", 0, 100);
  return html`<figure class="frame" ${cssVariables({ "--ratio": width / height })}>
    ${photo ? html`<img src=${photo.url} alt=${t("see.photo-alt", { name: photo.name })} width=${width}
      height=${height}>` : nothing}
    ${
      why && explanation.result
        ? html`<img class="overlay" src=${explanation.result.image} ${cssVariables({ "--opacity": opacity / 100 })}
          alt=${t("why.alt", { label: explanation.result.target.label })}>`
        : nothing
    }
  </figure>`;
}

/** @param {boolean} why */
function whyControls(why) {
  const result = explanation.result;
  return html`<div class="why">
    ${segments({
      name: "show",
      label: t("why.show"),
      chosen: why ? "why" : "photo",
      choices: [
        { name: "photo", text: t("why.photo") },
        { name: "why", text: t("why.why") },
      ],
      onChoose: (show) => address.change({ show }),
    })}
    ${
      why
        ? html`
          <p>${result ? t(`why.${result.method}`, { label: result.target.label }) : t("why.looking")}</p>
          <p class="hint">${t("why.margin")}</p>
          ${workNotice(explanation, () => explanation.reset())}
          ${slider({
            label: t("why.opacity"),
            text: percent(address.number("opacity", 0, 100) / 100, 0),
            value: address.number("opacity", 0, 100),
            min: 0,
            max: 100,
            onMove: (value, settled) => address.change({ opacity: String(value) }, { replace: true, moving: !settled }),
          })}
          <p class="heat-key"><span>${t("why.weak")}</span><span class="heat-scale"
            aria-hidden="true"></span><span>${t("why.strong")}</span></p>
          ${segments({
            name: "method",
            label: t("why.method"),
            chosen: address.choice("method", METHODS),
            choices: METHODS.map((name) => ({ name, text: t(`why.method.${name}`) })),
            onChoose: (method) => address.change({ method }),
          })}`
        : html`<p class="hint">${t("why.hint")}</p>`
    }
  </div>`;
}

/** @param {boolean} why */
function codeOf(why) {
  const photo = currentPhoto();
  const call = why ? explainCall() : classifyCall();
  if (!photo || !call) return nothing;
  if (!why) return code(call, { file: photo.name, download: photo.path });
  return code(call, { file: photo.name, download: photo.path, save: "why.png" });
}
