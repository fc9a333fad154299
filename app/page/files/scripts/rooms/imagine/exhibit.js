// The pictures on the wall: one or two frames, what is written below each, and what can be done with the picture.

import * as address from "../../address.js";
import { html, nothing } from "../../html.js";
import { duration, t } from "../../language.js";
import { progressBar } from "../../parts/chart.js";
import { cssVariables } from "../../parts/css_variables.js";
import { fileName, fileOf, save } from "../../parts/files.js";
import { workNotice } from "../../parts/problem.js";
import { film, isFilmLoading, playingFilm, playOrEnd } from "./film.js";
import { isKept, keepPicture } from "./gallery.js";
import { isMissing } from "./options.js";
import { beside, main } from "./pictures.js";
import { imageOf, picked, subjectOf, verdictOf } from "./verdict.js";

/** @typedef {import("./pictures.js").AnyDrawing} Drawing */
/** @typedef {import("./pictures.js").IdealResult} IdealResult */

/** Index of the picture that the visitor has chosen among several. */
export function pick() {
  return address.number("pick", 0, 8);
}

/**
 * @param {import("./options.js").Choices} chosen
 * @param {() => void} onRetry
 */
export function exhibit(chosen, onRetry) {
  const two = chosen.beside !== "none";
  return html`<div class="wall ${two ? "two" : ""}">
      ${piece(main, chosen.count, "", two)}
      ${two ? piece(beside, chosen.count, t(isMissing(chosen) ? "beside.missing" : "ideal.not-yet"), two) : nothing}
    </div>
    ${two ? workNotice(beside.work, onRetry) : nothing} ${workNotice(film, () => film.reset())}`;
}

/**
 * @param {Drawing} drawing
 * @param {string} count how many pictures it will be
 * @param {string} empty what is written below an empty frame
 * @param {boolean} two whether it is one of two
 */
function piece(drawing, count, empty, two) {
  const { work, stream } = drawing;
  return html`<figure class="piece">
    <div class="frame" ${cssVariables({ "--ratio": 1 })}>${content(drawing)}</div>
    <figcaption>
      ${work.running ? progress(stream.latest) : work.result ? caption(drawing, work.result, two) : empty}
    </figcaption>
    ${actions(drawing, count)}
  </figure>`;
}

/** @param {Drawing} drawing */
function content(drawing) {
  const { work, stream } = drawing;
  const { result } = work;
  const moving = playingFilm(drawing);
  if (moving) return html`<img src=${moving.url} alt=${t("film.alt", { label: result ? subjectOf(result) : "" })}>`;
  if (!result && !stream.latest?.preview) return nothing;
  if (!result && work.state !== "running" && work.state !== "stopped") return nothing;
  const several = (result?.pictures.length ?? 1) > 1;
  if (result && several && !address.value("large")) return sheet(result);
  const src = result ? imageOf(result, pick()) : stream.latest?.preview;
  const alt = result ? t("ideal.alt", { label: subjectOf(result), model: result.model }) : t("ideal.growing-alt");
  return html`<img src=${src} alt=${alt} draggable="false">`;
}

/** @param {IdealResult} result */
function sheet(result) {
  const across = Math.ceil(Math.sqrt(result.pictures.length));
  return html`<div class="sheet" role="group" aria-label=${t("ideal.sheet")} ${cssVariables({ "--across": across })}>
    ${result.pictures.map(
      ({ seed, image }, index) => html`<button type="button" aria-pressed=${index === pick()}
          @click=${() => address.change({ pick: index ? String(index) : "" }, { replace: true })}>
        <img src=${image} draggable="false"
          alt=${t("ideal.one-alt", { label: subjectOf(result), seed: String(seed) })}></button>`,
    )}
  </div>`;
}

/** @param {import("../../stream.js").Progress | null} latest */
function progress(latest) {
  const left = latest?.eta_s ?? null;
  return html`<div class="running">
    ${progressBar(latest ? latest.step / latest.steps : 0, t("ideal.progress"))}
    ${
      latest
        ? html`<p class="figure"><span>${t("ideal.step", { step: latest.step, steps: latest.steps })}</span>
          <span>${left === null ? "" : t("fool.eta", { time: duration(left) })}</span></p>`
        : html`<p class="hint">${t("ideal.starting")}</p>`
    }
  </div>`;
}

/**
 * @param {Drawing} drawing
 * @param {IdealResult} result
 * @param {boolean} two
 */
function caption(drawing, result, two) {
  const { seed } = picked(result, pick());
  const values = { label: subjectOf(result), model: result.model, seed: String(seed) };
  return html`<p>${t(drawing.call?.options?.method === "pixel" ? "ideal.caption-recipe" : "ideal.caption", values)}</p>
    ${two ? html`<p class="hint">${verdictOf(result, pick())}</p>` : nothing}`;
}

/**
 * @param {Drawing} drawing
 * @param {string} count
 */
function actions(drawing, count) {
  const { work, call, state } = drawing;
  const { result } = work;
  const none = result === null || call === null;
  const several = result ? result.pictures.length > 1 : count !== "1";
  const seed = result ? picked(result, pick()).seed : 0;
  const id = `${state} ${seed} ${work.key}`;
  const kept = !none && isKept(id);
  const moving = playingFilm(drawing);
  const keep = () => {
    if (none || kept) return;
    const blob = fileOf(imageOf(result, pick()));
    const to = pick() ? `${state}${state.includes("?") ? "&" : "?"}pick=${pick()}` : state;
    keepPicture({ id, label: subjectOf(result), model: result.model, seed, state: to, blob });
  };
  const download = () => {
    if (none) return;
    const words = [result.model, result.label, seed];
    if (moving) save(moving.blob, fileName(words, "webp"));
    else save(fileOf(imageOf(result, pick())), fileName(words, "png"));
  };
  return html`<p class="actions piece-actions">
      <button type="button" @click=${keep} ?disabled=${none} aria-disabled=${kept}>
        ${t(kept ? "gallery.is-kept" : "gallery.keep")}</button>
      <button type="button" @click=${download} ?disabled=${none}>
        ${t(moving ? "film.download" : "ideal.download")}</button>
      <button type="button" @click=${() => playOrEnd(drawing)} ?disabled=${none || film.running}>
        ${t(isFilmLoading(drawing) ? "film.loading" : moving ? "film.end" : "film.play")}</button>
      ${
        several && drawing === main
          ? html`<button type="button" ?disabled=${none}
            @click=${() => address.change({ large: address.value("large") ? "" : "1" })}>
            ${t(address.value("large") ? "ideal.all" : "ideal.large")}</button>`
          : nothing
      }
    </p>`;
}
