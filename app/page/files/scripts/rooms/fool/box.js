// A box on the photo outside which nothing may change. It is drawn with the pointer, or typed as four numbers.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { t } from "../../language.js";
import { cssVariables } from "../../parts/css_variables.js";
import { typed } from "../../parts/typed.js";
import { photoSize } from "../../photo/photo.js";
import { formatBox, parseBox } from "./options.js";

/** @typedef {import("./options.js").Box} Box */

const LEAST = 4;
/** Where the pointer went down, in pixels of the photo. @type {{x: number, y: number} | null} */
let corner = null;

/** The layer over the photo on which a box is drawn. */
export function boxLayer() {
  const box = parseBox(address.value("box"));
  return html`<div class="box-layer" @pointerdown=${begin} @pointermove=${draw} @pointerup=${end} @pointercancel=${end}>
    ${box ? html`<span class="box" ${cssVariables(edges(box))}></span>` : nothing}
  </div>`;
}

/** @param {Box} box */
function edges({ left, top, width, height }) {
  const size = photoSize();
  const percent = (/** @type {number} */ part, /** @type {number} */ whole) => `${(part / whole) * 100}%`;
  return {
    "--left": percent(left, size.width),
    "--top": percent(top, size.height),
    "--box-width": percent(width, size.width),
    "--box-height": percent(height, size.height),
  };
}

/** The box as four numbers, for those who do not draw with a pointer. */
export function boxFields() {
  const size = photoSize();
  const box = parseBox(address.value("box"));
  const whole = { left: 0, top: 0, width: size.width, height: size.height };
  const field = (
    /** @type {keyof Box} */ name,
    /** @type {number} */ most,
  ) => html`<label><span>${t(`box.${name}`)}</span>
    <input type="number" min=${name === "left" || name === "top" ? 0 : 1} max=${most}
      .value=${typed(box ? String(box[name]) : "")}
      @change=${(/** @type {Event} */ event) => {
        const input = /** @type {HTMLInputElement} */ (event.target);
        input.value = String(set({ ...(box ?? whole), [name]: Math.round(Number(input.value)) })[name]);
      }}></label>`;
  return html`<fieldset class="box-fields">
    <legend>${t("box.title")}</legend>
    <p class="hint">${t("box.hint")}</p>
    <div>
      ${field("left", size.width - 1)} ${field("top", size.height - 1)}
      ${field("width", size.width)} ${field("height", size.height)}
      <button type="button" class="plain" ?disabled=${!box}
        @click=${() => address.change({ box: "", ...address.NO_RESULT })}>${t("box.remove")}</button></div>
  </fieldset>`;
}

/**
 * Changes the box, as far as it is on the photo, and returns it.
 * @param {Box} box
 * @param {boolean} [moving] whether it is still being drawn
 */
function set(box, moving = false) {
  const size = photoSize();
  const left = Math.min(Math.max(0, box.left), size.width - 1);
  const top = Math.min(Math.max(0, box.top), size.height - 1);
  const width = Math.min(Math.max(1, box.width), size.width - left);
  const height = Math.min(Math.max(1, box.height), size.height - top);
  address.change({ box: formatBox({ left, top, width, height }), ...address.NO_RESULT }, { moving });
  return { left, top, width, height };
}

/**
 * @param {PointerEvent} event
 * @returns {{x: number, y: number}}
 */
function place(event) {
  const area = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
  const size = photoSize();
  const within = (/** @type {number} */ share) => Math.min(1, Math.max(0, share));
  return {
    x: Math.round(within((event.clientX - area.left) / area.width) * size.width),
    y: Math.round(within((event.clientY - area.top) / area.height) * size.height),
  };
}

/** @param {PointerEvent} event */
function begin(event) {
  if (event.button !== 0) return;
  corner = place(event);
  /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
  event.preventDefault();
}

/** @param {PointerEvent} event */
function draw(event) {
  if (!corner) return;
  const { x, y } = place(event);
  const box = {
    left: Math.min(x, corner.x),
    top: Math.min(y, corner.y),
    width: Math.abs(x - corner.x),
    height: Math.abs(y - corner.y),
  };
  if (box.width >= LEAST && box.height >= LEAST) set(box, true);
}

function end() {
  const box = parseBox(address.value("box"));
  if (corner && box) set(box);
  corner = null;
}
