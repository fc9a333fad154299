// The camera. Browsers give it to pages on https and on localhost only; elsewhere the button is not there.

import { redraw } from "../drawing.js";
import { html, nothing, ref } from "../html.js";
import { t } from "../language.js";

/** @type {MediaStream | null} */
let stream = null;
/** @type {"off" | "asking" | "on" | "refused"} */
let state = "off";
/** @type {HTMLVideoElement | undefined} */
let video;

/** The button that opens the camera; nothing where the browser has no camera for this page. */
export function cameraButton() {
  if (!navigator.mediaDevices) return nothing;
  return html`<button type="button" aria-expanded=${state === "on"}
    @click=${state === "on" ? close : open}>${t("camera.open")}</button>`;
}

/**
 * What the camera sees, with the button that takes the photo; nothing while the camera is off.
 * @param {(blob: Blob, name: string) => void} take
 */
export function cameraView(take) {
  if (state === "refused") return html`<p class="notice" role="alert">${t("camera.refused")}</p>`;
  if (state !== "on") return nothing;
  return html`<div class="camera">
    <video autoplay muted playsinline aria-label=${t("camera.view")} ${ref(show)}></video>
    <button type="button" class="primary" @click=${() => photograph(take)}>${t("camera.take")}</button>
    <button type="button" @click=${close}>${t("action.close")}</button>
  </div>`;
}

async function open() {
  if (state === "asking" || state === "on") return;
  state = "asking";
  try {
    const opened = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, height: { ideal: 960 } },
    });
    if (state !== "asking") return end(opened); // it was closed while the browser asked
    stream = opened;
    state = "on";
  } catch {
    state = "refused";
  }
  redraw();
}

/** @param {MediaStream | null} stream */
function end(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Turns the camera off. */
export function close() {
  if (state === "off") return;
  end(stream);
  stream = null;
  state = "off";
  redraw();
}

/** @param {Element | undefined} element */
function show(element) {
  video = /** @type {HTMLVideoElement | undefined} */ (element);
  if (video && video.srcObject !== stream) video.srcObject = stream;
}

/** @param {(blob: Blob, name: string) => void} take */
function photograph(take) {
  if (!video?.videoWidth) return; // it has not shown anything yet
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  canvas.toBlob((blob) => {
    close();
    if (blob) take(blob, "camera.png");
  }, "image/png");
}
