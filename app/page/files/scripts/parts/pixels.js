// A few pixels of two pictures, enlarged until each can be seen, with the values of the one in the middle.

import { html, ref } from "../html.js";
import { t } from "../language.js";
import { redraw } from "../drawing.js";

const ACROSS = 15;
const CELL = 16;

/** Pixels of a picture. @typedef {{data: Uint8ClampedArray, width: number, height: number}} Pixels */
/** @type {Map<string, Pixels | Promise<void>>} */
const decoded = new Map();
/** The pixel that differs most between the last two pictures for which that was asked. */
let largest = { before: /** @type {Pixels | null} */ (null), after: /** @type {Pixels | null} */ (null), x: 0, y: 0 };

/**
 * The pixels of a picture; undefined until they are there.
 * @param {string} url
 */
function pixelsOf(url) {
  const known = decoded.get(url);
  if (known && "data" in known) return known;
  // A picture that cannot be decoded is not seen either, so there is nothing to say; it is tried again when next drawn.
  if (!known) decoded.set(url, decode(url).catch(() => void decoded.delete(url)));
  return undefined;
}

/** @param {string} url */
async function decode(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  // As the service reads pictures: without conversion to the screen's colours, and what is transparent on white.
  const bitmap = await createImageBitmap(image, { colorSpaceConversion: "none" });
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0);
  }
  const data = context?.getImageData(0, 0, canvas.width, canvas.height);
  if (data) decoded.set(url, data);
  for (const old of [...decoded.keys()].slice(0, -4)) decoded.delete(old); // the photo and the last few results
  redraw();
}

/**
 * The pixel that differs most between the two pictures.
 * @param {Pixels} before
 * @param {Pixels} after
 */
function mostChanged(before, after) {
  if (largest.before === before && largest.after === after) return largest;
  let [most, place] = [0, 0];
  for (let index = 0; index < after.data.length; index += 4) {
    let change = 0;
    for (let channel = 0; channel < 3; channel += 1) {
      change += Math.abs((after.data[index + channel] ?? 0) - (before.data[index + channel] ?? 0));
    }
    if (change > most) [most, place] = [change, index / 4];
  }
  largest = { before, after, x: place % after.width, y: Math.floor(place / after.width) };
  return largest;
}

/**
 * @param {object} options
 * @param {string} options.before
 * @param {string} options.after
 * @param {{x: number, y: number} | null} options.at the pixel in the middle; null for the one that changed most
 * @param {(at: {x: number, y: number}) => void} options.onMove
 */
export function pixels({ before, after, at, onMove }) {
  const one = pixelsOf(before);
  const two = pixelsOf(after);
  const same = one && two && one.width === two.width && one.height === two.height;
  const middle = at && two ? inside(at, two) : same ? mostChanged(one, two) : { x: 0, y: 0 };
  const step = (/** @type {KeyboardEvent} */ event) => {
    const moves = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    });
    const move = moves[event.key];
    if (!move || !two) return;
    event.preventDefault();
    onMove(inside({ x: middle.x + move[0], y: middle.y + move[1] }, two));
  };
  const point = (/** @type {MouseEvent} */ event) => {
    const area = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    if (!two) return;
    const x = Math.floor(((event.clientX - area.left) / area.width) * two.width);
    const y = Math.floor(((event.clientY - area.top) / area.height) * two.height);
    onMove(inside({ x, y }, two));
  };
  return html`<div class="pixels">
    <button type="button" class="pixels-map" aria-label=${t("pixels.map")} @click=${point} @keydown=${step}>
      <img src=${after} alt="" draggable="false"></button>
    <div class="pixels-pair">
      ${enlarged(one, middle, t("compare.before"))} ${enlarged(two, middle, t("compare.after"))}
    </div>
    <p class="hint">${t("pixels.hint")}</p>
  </div>`;
}

/**
 * @param {{x: number, y: number}} place
 * @param {Pixels} picture
 */
function inside({ x, y }, picture) {
  return { x: Math.min(Math.max(0, x), picture.width - 1), y: Math.min(Math.max(0, y), picture.height - 1) };
}

/**
 * @param {Pixels | undefined} picture
 * @param {{x: number, y: number}} middle
 * @param {string} title
 */
function enlarged(picture, middle, title) {
  const values = picture ? valuesAt(picture, middle.x, middle.y) : null;
  return html`<figure>
    <canvas width=${ACROSS * CELL} height=${ACROSS * CELL} aria-hidden="true"
      ${ref((element) => picture && paint(/**
        @type {HTMLCanvasElement | undefined} */ (element), picture, middle))}></canvas>
    <figcaption><span>${title}</span> <span class="figure">${
      values ? t("pixels.values", { x: middle.x, y: middle.y, red: values[0], green: values[1], blue: values[2] }) : ""
    }</span></figcaption>
  </figure>`;
}

/**
 * @param {Pixels} picture
 * @param {number} x
 * @param {number} y
 * @returns {[number, number, number]}
 */
function valuesAt(picture, x, y) {
  const index = (y * picture.width + x) * 4;
  return [picture.data[index] ?? 0, picture.data[index + 1] ?? 0, picture.data[index + 2] ?? 0];
}

/**
 * @param {HTMLCanvasElement | undefined} canvas
 * @param {Pixels} picture
 * @param {{x: number, y: number}} middle
 */
function paint(canvas, picture, middle) {
  const context = canvas?.getContext("2d");
  if (!context) return;
  const half = Math.floor(ACROSS / 2);
  context.clearRect(0, 0, ACROSS * CELL, ACROSS * CELL);
  for (let row = 0; row < ACROSS; row += 1) {
    for (let column = 0; column < ACROSS; column += 1) {
      const [x, y] = [middle.x + column - half, middle.y + row - half];
      if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) continue;
      context.fillStyle = `rgb(${valuesAt(picture, x, y).join(" ")})`;
      context.fillRect(column * CELL, row * CELL, CELL, CELL);
    }
  }
  context.strokeStyle = "#fff";
  context.lineWidth = 3;
  context.strokeRect(half * CELL, half * CELL, CELL, CELL);
  context.strokeStyle = "#000";
  context.lineWidth = 1;
  context.strokeRect(half * CELL, half * CELL, CELL, CELL);
}
