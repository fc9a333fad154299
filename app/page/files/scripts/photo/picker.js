// How the visitor gives a photo: drop, paste, choose a file, the camera, or one of the samples.

import { change, value } from "../address.js";
import { redraw } from "../drawing.js";
import { html, nothing, ref } from "../html.js";
import { t } from "../language.js";
import { problemNotice } from "../parts/problem.js";
import { json } from "../service/requests.js";
import { cameraButton, cameraView } from "./camera.js";
import { CannotShow, keepPhoto, photoFault } from "./photo.js";
import { SAMPLES, sampleUrl } from "./samples.js";

/** What was wrong with the last file. @type {unknown} */
let fault = null;
let dragging = 0;
/** Number of the visitor's last choice: a file that takes long does not replace what was chosen after it. */
let choice = 0;
/** @type {HTMLInputElement | undefined} */
let input;

/** The row below the photo. */
export function picker() {
  return html`<div class="picker">
    <div class="samples" role="group" aria-label=${t("picker.samples")}>
      ${SAMPLES.map(
        (sample) => html`<button type="button" class="sample" aria-pressed=${value("photo") === sample.id}
            title=${t(sample.text)} @click=${() => choose(sample.id)}>
          <img src=${sampleUrl(sample).href} alt=${t(sample.text)} width="64" height="48">
        </button>`,
      )}
    </div>
    <button type="button" @click=${() => input?.click()}>${t("picker.choose")}</button>
    <input type="file" accept="image/*" class="only-spoken" tabindex="-1" aria-label=${t("picker.choose")}
      ${ref((element) => (input = /** @type {HTMLInputElement | undefined} */ (element)))} @change=${chosen}>
    ${cameraButton()}
    <span class="hint">${t("picker.hint")}</span>
  </div>
  ${cameraView(takeFile)}
  ${
    fault instanceof CannotShow
      ? html`<p class="notice" role="alert">${t("photo.cannot-show")}</p>`
      : fault
        ? problemNotice(fault)
        : nothing
  }
  ${photoFault() ? html`<p class="notice" role="alert">${t(photoFault() ?? "")}</p>` : nothing}`;
}

/** Listens for pictures that are dropped on the page or pasted into it. */
export function listenForPictures() {
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) void takeFile(file, file.name);
  });
  addEventListener("dragenter", (event) => countDrag(event, 1));
  addEventListener("dragleave", (event) => countDrag(event, -1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return; // a text that is dropped into a field
    event.preventDefault();
    dragging = 0;
    const file = event.dataTransfer?.files[0];
    if (file) void takeFile(file, file.name);
    redraw();
  });
}

/** Whether a file is being dragged over the page. */
export function isDragging() {
  return dragging > 0;
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/**
 * @param {DragEvent} event
 * @param {number} step
 */
function countDrag(event, step) {
  if (!hasFiles(event)) return;
  event.preventDefault();
  dragging = Math.max(0, dragging + step);
  redraw();
}

/** @param {string} id */
function choose(id) {
  fault = null;
  choice += 1;
  change({ photo: id });
}

function chosen() {
  const file = input?.files?.[0];
  if (file) void takeFile(file, file.name);
  if (input) input.value = ""; // so that the same file can be chosen again
}

/**
 * Takes a file, or says what is wrong with it.
 * @param {Blob} blob
 * @param {string} name
 */
async function takeFile(blob, name) {
  fault = null;
  choice += 1;
  const own = choice;
  try {
    const id = await keepPhoto(blob, name);
    if (own === choice) change({ photo: id });
  } catch (error) {
    const reason = error instanceof CannotShow ? await whatIsWrong(blob) : error;
    if (own === choice) fault = reason;
  }
  redraw();
}

/**
 * The browser cannot show the file: asks the service what is wrong with it, since it knows more formats and says more.
 * @param {Blob} blob
 */
async function whatIsWrong(blob) {
  try {
    await json({ path: "classify", image: blob, options: { top: 1 } });
    return new CannotShow();
  } catch (error) {
    return error;
  }
}
