// The photo that the visitor looks at, in all rooms: one of the samples, or one of the visitor's own.
// The address names it. A photo of one's own stays in this browser, so that a link cannot show it elsewhere.

import { value } from "../address.js";
import { redraw } from "../drawing.js";
import { noteNoAnswer } from "../service/connection.js";
import { keep, one } from "./database.js";
import { samplePath, SAMPLES, sampleUrl } from "./samples.js";

/**
 * @typedef {object} Photo
 * @property {string} id as the address has it
 * @property {string} name file name
 * @property {Blob} blob the file's very bytes
 * @property {string} url for showing it
 * @property {number} width as shown, in pixels
 * @property {number} height
 * @property {string} [path] of a sample: its path at the service
 */
/** @typedef {{id: string, time: number, name: string, blob: Blob}} Stored */

const OWN = "own-";
const MOST_STORED = 12;
/** Photos that the browser does not keep: they are there until the page is left. @type {Map<string, Stored>} */
const unkept = new Map();
const START = /** @type {import("./samples.js").Sample} */ (SAMPLES[0]);

/** @type {Photo | null} */
let photo = null;
/** Why there is no photo: a key of the texts. @type {"photo.elsewhere" | "photo.cannot-show" | null} */
let fault = null;
/** @type {string | null} */
let wanted = null;

/** The photo; null until it is there. */
export function currentPhoto() {
  return photo;
}

/** Why there is no photo, as a key of the texts; null if there is one or it is being loaded. */
export function photoFault() {
  return fault;
}

/** Width and height of the photo: known before it is there if it is a sample. */
export function photoSize() {
  const known = SAMPLES.find((sample) => sample.id === value("photo"));
  return photo ?? known ?? START;
}

/** Loads the photo that the address names, unless it is the current one. */
export async function loadPhoto() {
  const id = value("photo");
  if (id === wanted) return;
  wanted = id;
  fault = null;
  try {
    const loaded = id.startsWith(OWN) ? await stored(id) : await sample(id);
    if (id !== wanted) return URL.revokeObjectURL(loaded.url); // another one was chosen meanwhile
    release();
    photo = loaded;
  } catch (error) {
    if (id !== wanted) return;
    release();
    if (error instanceof CannotShow) fault = "photo.cannot-show";
    else if (id.startsWith(OWN)) fault = "photo.elsewhere";
    else {
      wanted = null; // the next call tries again
      noteNoAnswer();
    }
  }
  redraw();
}

function release() {
  if (photo) URL.revokeObjectURL(photo.url);
  photo = null;
}

/** @param {string} id */
async function sample(id) {
  const chosen = SAMPLES.find((sample) => sample.id === id) ?? START;
  const response = await fetch(sampleUrl(chosen));
  if (!response.ok) throw new Error(response.statusText);
  return { ...(await shown(await response.blob())), id, name: chosen.file, path: samplePath(chosen) };
}

/** @param {string} id */
async function stored(id) {
  const item = unkept.get(id) ?? /** @type {Stored | undefined} */ (await one("photos", id));
  if (!item) throw new Error("this browser does not have the photo");
  return { ...(await shown(item.blob)), id, name: item.name };
}

/** The browser cannot show the picture, although the service may be able to read it. */
export class CannotShow extends Error {}

/**
 * @param {Blob} blob
 * @returns {Promise<{blob: Blob, url: string, width: number, height: number}>}
 */
async function shown(blob) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    URL.revokeObjectURL(url);
    throw new CannotShow();
  }
  return { blob, url, width: image.naturalWidth, height: image.naturalHeight };
}

/**
 * Keeps a photo of the visitor's own in this browser, and returns the id by which the address names it. Throws
 * CannotShow if the browser cannot show it.
 * @param {Blob} blob
 * @param {string} name
 */
export async function keepPhoto(blob, name) {
  const { url } = await shown(blob);
  URL.revokeObjectURL(url);
  const id = OWN + (await digest(blob));
  /** @type {Stored} */
  const item = { id, time: Date.now(), name, blob };
  try {
    await keep("photos", item, MOST_STORED);
  } catch {
    unkept.set(id, item); // a private window, or no room left
  }
  return id;
}

/** @param {Blob} blob */
async function digest(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  // Browsers have SHA-256 only on https and localhost; elsewhere two hashes of 32 bits tell photos apart well enough.
  if (!globalThis.crypto?.subtle) return quickHash(bytes);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Uint8Array} bytes */
function quickHash(bytes) {
  let [one, two] = [0x811c9dc5, 0x1b873593];
  for (const byte of bytes) {
    one = Math.imul(one ^ byte, 0x01000193);
    two = Math.imul(two ^ byte, 0x85ebca6b);
  }
  return [one, two].map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
}
