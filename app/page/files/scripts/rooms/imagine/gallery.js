// The visitor's gallery: pictures that were kept, in the browser's own database.

import { announce } from "../../drawing.js";
import { html, repeat } from "../../html.js";
import { t } from "../../language.js";
import { workNotice } from "../../parts/problem.js";
import { all, forget, keep } from "../../photo/database.js";
import { Work } from "../../work.js";

/**
 * A picture of the gallery. `state` is the address that draws it again.
 * @typedef {{id: string, time: number, label: string, model: string, seed: number, state: string, blob: Blob}} Kept
 */

const MOST = 60;
/** @type {Work<Kept[]>} */
const pictures = new Work();
/** What is done to the gallery. @type {Work<void>} */
const editing = new Work();
/** Number of what was last done, so that the same can be done again. */
let edits = 0;
/** Does it again, where it failed. */
let again = () => {};
/** The addresses under which this tab shows the pictures. @type {Map<string, string>} */
const urls = new Map();

/** Reads the gallery, once. */
export function loadGallery() {
  if (pictures.state === "idle") pictures.start("gallery", () => all("gallery"));
}

async function readAgain() {
  const kept = /** @type {Kept[]} */ (await all("gallery"));
  for (const [id, url] of urls) {
    if (kept.some((picture) => picture.id === id)) continue;
    URL.revokeObjectURL(url);
    urls.delete(id);
  }
  pictures.reset();
  pictures.start("gallery", async () => kept);
}

/** @param {string} id */
export function isKept(id) {
  return (pictures.result ?? []).some((picture) => picture.id === id);
}

/**
 * Keeps a picture; the oldest one goes where there are more than sixty.
 * @param {Omit<Kept, "time">} picture
 */
export function keepPicture(picture) {
  edit(() => keep("gallery", { ...picture, time: Date.now() }, MOST), "gallery.kept-spoken");
}

/** @param {string} id */
function removePicture(id) {
  edit(() => forget("gallery", id), "gallery.removed-spoken");
}

/**
 * @param {() => Promise<void>} action
 * @param {string} spoken
 */
function edit(action, spoken) {
  again = () => edit(action, spoken);
  edits += 1;
  editing.start(String(edits), async () => {
    await action();
    await readAgain();
    announce(t(spoken));
  });
}

/** @param {Kept} picture */
function urlOf({ id, blob }) {
  const known = urls.get(id) ?? URL.createObjectURL(blob);
  urls.set(id, known);
  return known;
}

/** The section with the kept pictures. */
export function gallery() {
  const kept = pictures.result ?? [];
  return html`<section class="gallery">
    <h2>${t("gallery.title")}</h2>
    <p class="lead">${kept.length ? t("gallery.lead", { count: kept.length }) : t("gallery.empty")}</p>
    ${workNotice(pictures, () => pictures.reset())} ${workNotice(editing, again)}
    <ul>${repeat(kept, ({ id }) => id, piece)}</ul>
  </section>`;
}

/** @param {Kept} picture */
function piece(picture) {
  const { id, label, model, seed, state } = picture;
  const values = { label, model, seed: String(seed) };
  return html`<li><figure>
    <a href=${state} title=${t("gallery.open", values)}>
      <img src=${urlOf(picture)} alt=${t("gallery.alt", values)} loading="lazy"></a>
    <figcaption><strong>${label}</strong> <span>${t("gallery.made", values)}</span>
      <button type="button" class="plain" aria-label=${t("gallery.remove-one", values)}
        @click=${() => removePicture(id)}>${t("gallery.remove")}</button></figcaption>
  </figure></li>`;
}
