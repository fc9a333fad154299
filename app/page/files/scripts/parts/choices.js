// Rows of choices: radio buttons that look like one control, and a slider with its value.

import { html, live, nothing } from "../html.js";

/**
 * One of a few choices.
 * @template {string} Name
 * @param {object} options
 * @param {string} options.name of the group, unique on the page
 * @param {string} options.label
 * @param {Name} options.chosen
 * @param {readonly {name: Name, text: string, disabled?: boolean}[]} options.choices
 * @param {(name: Name) => void} options.onChoose
 * @param {boolean} [options.hideLabel]
 */
export function segments({ name, label, chosen, choices, onChoose, hideLabel = false }) {
  return html`<fieldset class="segments">
    <legend class=${hideLabel ? "only-spoken" : nothing}>${label}</legend>
    <div>${choices.map(
      (choice) => html`<label>
        <input type="radio" name=${name} .checked=${live(choice.name === chosen)} value=${choice.name}
          ?disabled=${choice.disabled ?? false} @change=${() => onChoose(choice.name)}>
        <span>${choice.text}</span>
      </label>`,
    )}</div>
  </fieldset>`;
}

/**
 * A slider.
 * @param {object} options
 * @param {string} options.label
 * @param {string} options.text its value in words
 * @param {number} options.value
 * @param {number} options.min
 * @param {number} options.max
 * @param {number} [options.step]
 * @param {(value: number, settled: boolean) => void} options.onMove `settled` is false while the slider is being moved
 */
export function slider({ label, text, value, min, max, step = 1, onMove }) {
  return html`<label class="slider"><span class="slider-label">${label}</span>
    <span class="figure" aria-hidden="true">${text}</span>
    <input type="range" min=${min} max=${max} step=${step} .value=${live(String(value))}
      aria-valuetext=${text} @input=${moved(onMove, false)} @change=${moved(onMove, true)}></label>`;
}

/**
 * Listens to a slider.
 * @param {(value: number, settled: boolean) => void} onMove
 * @param {boolean} settled
 * @returns {(event: Event) => void}
 */
export function moved(onMove, settled) {
  return ({ target }) => onMove(Number(/** @type {HTMLInputElement} */ (target).value), settled);
}

/**
 * A list of choices that folds out.
 * @param {object} options
 * @param {string} options.label
 * @param {string} options.chosen
 * @param {readonly {name: string, text: string, disabled?: boolean}[]} options.choices
 * @param {(name: string) => void} options.onChoose
 * @param {boolean} [options.hideLabel]
 */
export function select({ label, chosen, choices, onChoose, hideLabel = false }) {
  return html`<label class="select"><span class=${hideLabel ? "only-spoken" : "select-label"}>${label}</span>
    <select .value=${live(chosen)}
      @change=${(/** @type {Event} */ event) => onChoose(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${choices.map(
        (choice) => html`<option value=${choice.name} ?selected=${choice.name === chosen}
          ?disabled=${choice.disabled ?? false}>${choice.text}</option>`,
      )}
    </select></label>`;
}
