// The film of a picture: an animated WebP of its steps, which the service draws again for it.

import { announce, redraw } from "../../drawing.js";
import { t } from "../../language.js";
import { send } from "../../service/requests.js";
import { Work } from "../../work.js";
import { keyOf } from "./pictures.js";

/** @typedef {import("../../service/requests.js").Call} Call */

/** @type {Work<{blob: Blob, url: string}>} */
export const film = new Work();
let playing = false;
/** @type {Call | null} */
let wanted = null;

/**
 * The film of a request, if it is there and shall be seen.
 * @param {Call | null} call
 */
export function playingFilm(call) {
  return playing && call && film.key === keyOf(call) ? film.result : null;
}

/**
 * Fetches the film and shows it; if it is shown already, shows the picture again.
 * @param {Call} call
 */
export function playOrEnd(call) {
  if (playingFilm(call)) {
    playing = false;
    redraw();
    return;
  }
  playing = true;
  if (film.key === keyOf(call) && film.state === "done") {
    redraw();
    return;
  }
  forgetFilm();
  playing = true;
  wanted = call;
  film.start(keyOf(call), async (waiting) => {
    const response = await send({ ...call, options: { ...call.options, format: "film" } }, waiting);
    const blob = await response.blob();
    announce(t("film.ready"));
    return { blob, url: URL.createObjectURL(blob) };
  });
}

/** Asks once more for the film that could not be made. */
export function retryFilm() {
  const call = wanted;
  forgetFilm();
  if (call) playOrEnd(call);
}

/** Forgets the film of an earlier picture, and ends the work on it. */
export function forgetFilm() {
  playing = false;
  if (film.result) URL.revokeObjectURL(film.result.url);
  if (film.state !== "idle") film.reset();
}
