// What the visitor chooses before a picture is drawn, and the button that draws it or stops.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { segments } from "../../parts/choices.js";
import { fold } from "../../parts/fold.js";
import { EFFORTS } from "../../service/efforts.js";
import { detail, isRobust } from "../../service/models.js";
import { BESIDES, COUNTS, MOST_SEED, siblingOf } from "./options.js";
import { typed } from "../../parts/typed.js";
import { subjectChoice, whole } from "./subject.js";

/** @typedef {import("./options.js").Choices} Choices */

/**
 * @param {Choices} chosen
 * @param {object} options
 * @param {boolean} options.running
 * @param {boolean} options.done whether just this is drawn
 * @param {() => void} options.onDraw
 * @param {() => void} options.onStop
 * @param {() => void} options.onAnother
 */
export function controls(chosen, { running, done, onDraw, onStop, onAnother }) {
  // It stays one button, so that the keyboard is still on it when its work has changed.
  const [key, press] = running
    ? /** @type {const} */ (["ideal.stop", onStop])
    : done
      ? /** @type {const} */ (["ideal.another", onAnother])
      : /** @type {const} */ (["ideal.draw", onDraw]);
  const text = t(key, { count: Number(chosen.count) });
  return html`
    <p class="actions"><button type="button" class="primary" @click=${press}>${text}</button></p>
    <fieldset class="plain-fieldset" ?disabled=${running}>
      <legend class="only-spoken">${t("ideal.choices")}</legend>
      ${subjectChoice(chosen)}
      ${besideChoice(chosen)}
      ${fold("fold", t("ideal.more"), moreChoices(chosen))}
    </fieldset>`;
}

/** @param {Record<string, string>} values */
function set(values) {
  address.change({ ...values, run: "" });
}

/** @param {Choices} chosen */
function moreChoices({ count, effort, seed, beside }) {
  return html`
    ${segments({
      name: "count",
      label: t("ideal.count"),
      chosen: count,
      choices: COUNTS.map((name) => ({ name, text: name, disabled: beside === "recipe" })),
      onChoose: (count) => set({ count }),
    })}
    ${segments({
      name: "effort",
      label: t("ideal.effort"),
      chosen: effort,
      choices: EFFORTS.map((name) => ({ name, text: t(`effort.${name}`) })),
      onChoose: (effort) => set({ effort }),
    })}
    <label class="field"><span>${t("ideal.seed")}</span>
      <input type="number" min="0" max=${MOST_SEED} step="1" .value=${typed(String(seed))}
        @change=${(/** @type {Event} */ event) => set({ seed: whole(event, MOST_SEED) })}></label>
    <p class="hint">${t("ideal.seed-hint")}</p>`;
}

/** @param {Choices} chosen */
function besideChoice(chosen) {
  const sibling = siblingOf(chosen);
  const kind = !sibling || isRobust(detail(sibling)) ? "robust" : isRobust(detail(chosen.model)) ? "usual" : "other";
  /** @type {Record<typeof BESIDES[number], {text: string, disabled: boolean}>} */
  const shown = {
    none: { text: t("beside.none"), disabled: false },
    robust: { text: t(`beside.${kind}`), disabled: !sibling },
    recipe: { text: t("beside.recipe"), disabled: chosen.subject === "channel" },
  };
  const hint =
    chosen.beside === "robust" && sibling
      ? t(`beside.${kind}-hint`, { model: sibling, own: chosen.model })
      : chosen.beside === "recipe"
        ? t("beside.recipe-hint")
        : "";
  return html`${segments({
    name: "beside",
    label: t("beside.title"),
    chosen: chosen.beside,
    choices: BESIDES.map((name) => ({ name, ...shown[name] })),
    // What is drawn already stays; only the picture beside it is drawn now.
    onChoose: (beside) => address.change({ beside }),
  })}
    ${chosen.beside === "none" ? nothing : html`<p class="hint beside-hint">${hint}</p>`}`;
}
