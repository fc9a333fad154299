// What the visitor chooses before an attack.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { number, t } from "../../language.js";
import { segments, select, slider } from "../../parts/choices.js";
import { fold } from "../../parts/fold.js";
import { EFFORTS } from "../../service/efforts.js";
import { boxFields } from "./box.js";
import { BUDGETS, choices, MODES, SURVIVALS } from "./options.js";
import { targetChips } from "./targets.js";

/** @param {boolean} running */
export function controls(running) {
  const chosen = choices();
  return html`
    <fieldset class="plain-fieldset" ?disabled=${running}>
      <legend class="only-spoken">${t("fool.choices")}</legend>
      ${targetChips(running)}
      ${
        chosen.anyAttack
          ? segments({
              name: "mode",
              label: t("fool.mode"),
              chosen: chosen.mode,
              choices: MODES.map((name) => ({ name, text: t(`fool.mode.${name}`) })),
              onChoose: (mode) => set({ mode, attack: "", norm: "", budget: "" }),
            })
          : html`<p class="hint">${t("fool.no-gradients")}</p>`
      }
      ${chosen.mode === "budget" ? budget(chosen) : nothing}
      <p class="hint">${t(`norm.${chosen.norm}.${chosen.mode}`)}</p>
      ${fold("fold", t("fool.more"), moreChoices(chosen))}
    </fieldset>`;
}

/**
 * Changes a choice: a result that was computed with the old one is no longer asked for.
 * @param {Record<string, string>} values
 * @param {{moving?: boolean}} [options]
 */
function set(values, options) {
  address.change({ ...values, ...address.NO_RESULT }, options);
}

/**
 * The conversions with one added, or taken out where it was among them.
 * @param {readonly string[]} survive
 * @param {string} name
 */
function toggled(survive, name) {
  return SURVIVALS.filter((other) => (other === name) !== survive.includes(other));
}

/** @param {ReturnType<typeof choices>} chosen */
function budget({ norm, budget }) {
  const { min, max, step } = BUDGETS[norm];
  return slider({
    label: t("fool.budget"),
    text: norm === "linf" ? t("fool.levels", { count: budget }) : number(budget),
    value: budget,
    min,
    max,
    step,
    onMove: (value, settled) => set({ budget: String(value) }, { moving: !settled }),
  });
}

/** @param {ReturnType<typeof choices>} chosen */
function moreChoices({ anyAttack, attacks, attack, norms, norm, effort, confidence, survive }) {
  return html`
    ${
      anyAttack
        ? select({
            label: t("fool.attack"),
            chosen: attack,
            choices: attacks.map((name) => ({ name, text: t(`attack.${name}`) })),
            onChoose: (attack) => set({ attack, norm: "", budget: "" }),
          })
        : nothing
    }
    ${segments({
      name: "norm",
      label: t("fool.norm"),
      chosen: norm,
      choices: norms.map((name) => ({ name, text: t(`norm.${name}`) })),
      onChoose: (norm) => set({ norm, budget: "" }),
    })}
    ${
      attack === "auto"
        ? segments({
            name: "effort",
            label: t("fool.effort"),
            chosen: effort,
            choices: EFFORTS.map((name) => ({ name, text: t(`effort.${name}`) })),
            onChoose: (effort) => set({ effort }),
          })
        : nothing
    }
    <div>${slider({
      label: t("fool.confidence"),
      text: number(confidence),
      value: confidence,
      min: 0,
      max: 20,
      onMove: (value, settled) => set({ confidence: String(value) }, { moving: !settled }),
    })}
      <p class="hint">${t("fool.confidence-hint")}</p></div>
    <fieldset class="checks"><legend>${t("fool.survive")}</legend>
      ${SURVIVALS.map(
        (name) => html`<label><input type="checkbox" .checked=${survive.includes(name)}
            @change=${() => set({ survive: toggled(survive, name).join(",") })}>
          <span>${t(`survive.${name}`)}</span></label>`,
      )}
    </fieldset>
    ${boxFields()}`;
}
