// The film of a picture: an animated WebP of its steps, which the service draws again for it. The address says which of
// the two pictures is seen as a film.

import * as address from "../../address.js";
import { announce } from "../../drawing.js";
import { t } from "../../language.js";
import { file } from "../../service/requests.js";
import { Work } from "../../work.js";
import { beside, keyOf, main } from "./pictures.js";

/** @typedef {import("./pictures.js").AnyDrawing} Drawing */

/** @type {Work<{blob: Blob, url: string}>} */
export const film = new Work();
/** The drawings by their names in the address. @type {ReadonlyMap<string, Drawing>} */
const DRAWINGS = new Map([
  ["main", main],
  ["beside", beside],
]);

/**
 * The film of a drawing, if it is there and shall be seen.
 * @param {Drawing} drawing
 */
export function playingFilm(drawing) {
  return drawing === wanted() && isOf(drawing) ? film.result : null;
}

/**
 * Whether the film of a drawing is being made.
 * @param {Drawing} drawing
 */
export function isFilmLoading(drawing) {
  return film.running && isOf(drawing);
}

/**
 * Shows the film of a drawing; if it is shown already, the picture again.
 * @param {Drawing} drawing
 */
export function playOrEnd(drawing) {
  const name = [...DRAWINGS].find(([, other]) => other === drawing)?.[0] ?? "";
  address.change({ film: playingFilm(drawing) ? "" : name });
}

/** Fetches the film that the address asks for, once its picture is there. */
export function refreshFilm() {
  const drawing = wanted();
  if (!drawing?.call || drawing.work.state !== "done") return;
  const { call } = drawing;
  if (!isOf(drawing)) forgetFilm();
  film.start(keyOf(call), async (waiting) => {
    const blob = await file({ ...call, options: { ...call.options, format: "film" } }, waiting);
    announce(t("film.ready"));
    return { blob, url: URL.createObjectURL(blob) };
  });
}

/** Forgets the film of an earlier picture, and ends the work on it. */
export function forgetFilm() {
  if (film.result) URL.revokeObjectURL(film.result.url);
  if (film.state !== "idle") film.reset();
}

/** The drawing whose film the address asks for. */
function wanted() {
  return DRAWINGS.get(address.value("film"));
}

/** @param {Drawing} drawing */
function isOf({ call }) {
  return call !== null && film.key === keyOf(call);
}
