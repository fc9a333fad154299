// What the network sees: a strip of its layers from input to output, and the strongest feature maps of one of them.

import * as address from "../../address.js";
import { html, nothing, ref, repeat } from "../../html.js";
import { number, t } from "../../language.js";
import { select } from "../../parts/choices.js";
import { workNotice } from "../../parts/problem.js";
import { currentPhoto } from "../../photo/photo.js";
import { hasGradients } from "../../service/kinds.js";
import { detail, modelName } from "../../service/models.js";
import { json } from "../../service/requests.js";
import { redraw } from "../../drawing.js";
import { Work } from "../../work.js";
import { classification } from "../../photo/classification.js";

/** @typedef {import("../../../../types/schemas.d.ts").FeaturesResult} FeaturesResult */
/** @typedef {import("../../../../types/schemas.d.ts").LayerDetail} LayerDetail */

const MOST_STOPS = 10;
const FEW_MAPS = 24;
/** As many as the service shows at once. */
const MOST_MAPS = 100;
/** The strongest map of each layer of the strip, by the layer's name; they come one after the other. */
/** @type {Map<string, string>} */
let stripMaps = new Map();
/** @type {Work<void>} */
const strip = new Work();
/** @type {Work<FeaturesResult>} */
const features = new Work();

/**
 * The layers of the strip: at most ten blocks of the network, evenly from input to output.
 * @param {readonly LayerDetail[]} layers
 */
function stops(layers) {
  const maps = layers.filter((layer) => layer.height > 1);
  // Names like `features.3.conv.0` have as many parts as they are deep inside blocks. Most blocks have two.
  const blocks = maps.filter((layer) => layer.name.split(".").length <= 2);
  const known = blocks.length >= MOST_STOPS / 2 ? blocks : maps;
  if (known.length <= MOST_STOPS) return known;
  const step = (known.length - 1) / (MOST_STOPS - 1);
  return Array.from({ length: MOST_STOPS }, (_, index) => /** @type {LayerDetail} */ (known[Math.round(index * step)]));
}

/** The layer whose maps are shown: the one of the address, or one in which parts of things are to be seen. */
function chosenLayer() {
  const layers = detail(modelName())?.layers ?? [];
  const strip = stops(layers);
  return layers.find((layer) => layer.name === address.value("layer")) ?? strip[Math.floor(strip.length / 3)];
}

/** Asks for the maps that are to be seen and are not there yet, once the photo is classified: that comes first. */
export function refreshLayers() {
  const photo = currentPhoto();
  const model = modelName();
  const layer = chosenLayer();
  const about = `${photo?.id} ${model}`;
  if (strip.key && strip.key !== about) {
    stripMaps = new Map();
    strip.reset();
  }
  if (features.key && !features.key.startsWith(`${about} `)) features.reset();
  if (!photo || !layer || classification.state !== "done") return;
  const most = mostMaps();
  features.start(`${about} ${layer.name} ${most}`, (waiting) => mapsOf(layer.name, most, waiting));
  if (features.state === "done") {
    strip.start(about, (waiting) => loadStrip(stops(detail(model)?.layers ?? []), waiting));
  }
}

function mostMaps() {
  return address.value("maps") === "all" ? MOST_MAPS : FEW_MAPS;
}

/** Ends the work on maps. */
export function leaveLayers() {
  strip.leave();
  features.leave();
}

/**
 * @param {string} layer
 * @param {number} channels
 * @param {import("../../service/requests.js").Waiting} waiting
 * @returns {Promise<FeaturesResult>}
 */
function mapsOf(layer, channels, waiting) {
  const photo = /** @type {import("../../photo/photo.js").Photo} */ (currentPhoto());
  const options = { model: modelName(), layer, channels, separate: true, format: "json" };
  return json({ path: "features", image: photo.blob, name: photo.name, options }, waiting);
}

/**
 * @param {readonly LayerDetail[]} layers
 * @param {import("../../service/requests.js").Waiting} waiting
 */
async function loadStrip(layers, waiting) {
  stripMaps = new Map();
  const loaded = stripMaps;
  for (const layer of layers) {
    const image = (await mapsOf(layer.name, 1, waiting)).maps?.[0]?.image;
    if (image) loaded.set(layer.name, image);
    redraw();
  }
}

/** The section below the photo. */
export function layersSection() {
  const layers = detail(modelName())?.layers ?? [];
  const chosen = chosenLayer();
  return html`<section class="layers">
    <h2>${t("layers.title")}</h2>
    <p class="lead">${t("layers.lead")}</p>
    <div class="strip" role="group" aria-label=${t("layers.strip")}>
      ${repeat(
        stops(layers),
        (layer) => layer.name,
        (layer, index) => stop(layer, index, layer.name === chosen?.name),
      )}
    </div>
    ${
      chosen
        ? html`<div class="layer-head">
          <p>${describe(chosen)}</p>
          ${select({
            label: t("layers.all"),
            chosen: chosen.name,
            choices: layers.map(({ name }) => ({ name, text: name })),
            onChoose: (layer) => address.change({ layer, map: "" }),
          })}
        </div>
        ${workNotice(features, () => features.reset())}
        <div class="maps-and-enlarged">
          <div>
            <div class="maps" role="group" aria-label=${t("layers.maps")}>${maps(chosen)}</div>
            ${more(chosen)}
          </div>
          ${enlarged(chosen)}
        </div>`
        : nothing
    }
  </section>`;
}

/** @param {LayerDetail} layer */
function describe({ name, channels, width, height }) {
  return t("layers.chosen", { layer: name, channels, width, height });
}

/**
 * The address of the room "Imagine" in which a channel is drawn.
 * @param {LayerDetail} layer
 * @param {number} channel
 */
function linkToImagine(layer, channel) {
  return address.link("imagine", { subject: "channel", layer: layer.name, channel: String(channel), run: "1" });
}

/**
 * @param {LayerDetail} layer
 * @param {number} index
 * @param {boolean} chosen
 */
function stop(layer, index, chosen) {
  const image = stripMaps.get(layer.name);
  return html`<button type="button" class="stop" aria-pressed=${chosen} ${ref(chosen ? reveal : undefined)}
      @click=${() => address.change({ layer: layer.name, map: "" })}>
    <span class="only-spoken">${t("layers.stop", { number: index + 1, layer: layer.name })}</span>
    <span class="map-place">${image ? html`<img src=${image} alt="">` : nothing}</span>
    <span class="stop-name" aria-hidden="true">${layer.name}</span>
    <span class="figure">${number(layer.width)} × ${number(layer.height)}</span>
  </button>`;
}

/**
 * Scrolls the strip, and not the page, until the chosen layer is within it: on a narrow screen it may be cut.
 * @param {Element} [stop] missing when this layer is no longer the chosen one
 */
function reveal(stop) {
  requestAnimationFrame(() => {
    const strip = stop?.parentElement;
    if (!stop || !strip) return;
    const { left, right } = stop.getBoundingClientRect();
    const view = strip.getBoundingClientRect();
    if (right > view.right) strip.scrollLeft += right - view.right;
    else if (left < view.left) strip.scrollLeft -= view.left - left;
  });
}

/** @param {LayerDetail} layer */
function maps(layer) {
  const shown = features.result?.maps;
  const count = Math.min(mostMaps(), layer.channels);
  if (!shown)
    return Array.from({ length: count }, () => html`<span class="map"><span class="map-place"></span></span>`);
  const open = openMap()?.channel;
  return repeat(
    shown,
    (map) => map.channel,
    (map) => html`<button type="button" class="map" aria-pressed=${map.channel === open}
        aria-label=${t("layers.map", { channel: String(map.channel) })}
          @click=${() => address.change({ map: String(map.channel) })}>
      <img src=${map.image} alt=""><span class="figure">${map.channel}</span></button>`,
  );
}

/** @param {LayerDetail} layer */
function more({ channels }) {
  if (channels <= FEW_MAPS || address.value("maps") === "all") return nothing;
  return html`<p class="actions"><button type="button" @click=${() => address.change({ maps: "all" })}>
    ${t("layers.more", { count: Math.min(channels, MOST_MAPS) })}</button></p>`;
}

/** The map that is enlarged: the one of the address, or the strongest. */
function openMap() {
  const maps = features.result?.maps;
  return maps?.find((map) => String(map.channel) === address.value("map")) ?? maps?.[0];
}

/** @param {LayerDetail} layer */
function enlarged(layer) {
  const result = features.result;
  const map = openMap();
  if (!map || !result) return html`<figure class="enlarged"><span class="map-place"></span></figure>`;
  const strength = result.channels.find((channel) => channel.channel === map.channel);
  return html`<figure class="enlarged">
    <img src=${map.image} alt=${t("layers.map-alt", { channel: String(map.channel), layer: layer.name })}>
    <figcaption>
      <p>${t("layers.enlarged", { channel: String(map.channel), largest: strength?.largest ?? 0 })}</p>
      ${
        hasGradients(detail(modelName()))
          ? html`<a class="button" href=${linkToImagine(layer, map.channel)}>${t("layers.imagine")}</a>`
          : nothing
      }
    </figcaption>
  </figure>`;
}
