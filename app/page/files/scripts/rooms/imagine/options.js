// What shall be drawn, as the address says it, and the request that follows from it.

import * as address from "../../address.js";
import { classReference, indexOfClass } from "../../service/classes.js";
import { EFFORTS } from "../../service/efforts.js";
import { allDetailed, detail, modelName, siblings } from "../../service/models.js";

export const SUBJECTS = /** @type {const} */ (["class", "channel"]);
export const COUNTS = /** @type {const} */ (["1", "4", "9"]);
export const BESIDES = /** @type {const} */ (["none", "robust", "recipe"]);
export const MOST_SEED = 2 ** 53 - 1;
/** Values of the address that say how something is shown, and not what. */
const SHOWN = ["photo", "pick", "large", "film", "fold", "code"];

/** @typedef {import("../../../../types/schemas.d.ts").LayerDetail} LayerDetail */
/** @typedef {import("../../service/requests.js").Call} Call */
/**
 * @typedef {object} Choices
 * @property {string} model
 * @property {typeof SUBJECTS[number]} subject
 * @property {string} class_ name or index of the class; empty until the model's classes are known
 * @property {string} layer
 * @property {number} channel
 * @property {number} seed
 * @property {typeof COUNTS[number]} count
 * @property {typeof EFFORTS[number]} effort
 * @property {typeof BESIDES[number]} beside
 */

/**
 * The visitor's choices. What does not go together is replaced by defaults.
 * @returns {Choices}
 */
export function choices() {
  const model = modelName();
  const subject = address.choice("subject", SUBJECTS);
  const wanted = address.choice("beside", BESIDES);
  const beside = wanted === "recipe" && subject === "channel" ? "none" : wanted;
  const layer = chosenLayer();
  // As with a class: before anything is drawn, a channel that the layer does not have gives way to one that it has.
  const channels = address.value("run") === "1" ? MOST_SEED : (layer?.channels ?? MOST_SEED);
  return {
    model,
    subject,
    class_: chosenClass(),
    layer: address.value("layer") || (layer?.name ?? ""),
    channel: Math.round(address.number("channel", 0, channels - 1)),
    seed: Math.round(address.number("seed", 0, MOST_SEED)),
    // The plain recipe takes a thousand steps for each picture.
    count: beside === "recipe" ? "1" : address.choice("count", COUNTS),
    effort: address.choice("effort", EFFORTS),
    beside,
  };
}

/**
 * The class of the address, as a link has it even where the model does not know it: the service then says so. Before
 * anything is drawn, a class that the model does not know gives way to its first one.
 */
function chosenClass() {
  const names = detail(modelName())?.class_names;
  const given = address.value("class");
  if (given && (address.value("run") === "1" || !names || indexOfClass(names, given) !== null)) return given;
  return names?.length ? classReference(names, 0) : "";
}

/** The layer of the address, or one in which parts of things are to be seen. */
export function chosenLayer() {
  const layers = (detail(modelName())?.layers ?? []).filter(({ height }) => height > 1);
  const blocks = layers.filter(({ name }) => name.split(".").length <= 2);
  const among = blocks.length ? blocks : layers;
  const given = detail(modelName())?.layers.find(({ name }) => name === address.value("layer"));
  return given ?? among[Math.floor(among.length * 0.75)];
}

/**
 * The request for a picture; null before its class or layer is known.
 * @param {Choices} chosen
 * @returns {Call | null}
 */
export function idealCall({ model, subject, class_, layer, channel, seed, count, effort }) {
  if (!model || !(subject === "class" ? class_ : layer)) return null;
  const options = { model, seed, count: count === "1" ? "" : count, effort: effort === "standard" ? "" : effort };
  if (subject === "class") return { path: `ideal/${encodeURIComponent(class_)}`, options };
  return { path: "ideal", options: { layer, channel, ...options } };
}

/**
 * The request for what stands beside it; null where nothing does, or not yet.
 * @param {Choices} chosen
 * @returns {Call | null}
 */
export function besideCall(chosen) {
  if (chosen.beside === "recipe") {
    // The recipe is the same at every effort.
    const call = idealCall({ ...chosen, effort: "standard" });
    return call && { ...call, options: { ...call.options, method: "pixel", crops: 0, clamp: false } };
  }
  const model = chosen.beside === "robust" ? siblingOf(chosen) : undefined;
  return model ? idealCall({ ...chosen, model }) : null;
}

/**
 * Name of the model whose picture may stand beside that of the chosen one; undefined if there is none.
 * @param {Choices} chosen
 */
export function siblingOf({ model, subject, layer }) {
  return siblings(model).find(
    (name) => subject === "class" || (detail(name)?.layers ?? []).some((other) => other.name === layer),
  );
}

/**
 * Whether it is known that no other model can draw beside the chosen one.
 * @param {Choices} chosen
 */
export function isMissing(chosen) {
  if (chosen.beside !== "robust" || siblingOf(chosen)) return false;
  return allDetailed();
}

/**
 * The values of the address that name everything that is drawn, also what follows from defaults of today.
 * @param {Choices} chosen
 * @returns {Record<string, string>}
 */
export function explicit({ model, subject, class_, layer, channel, seed }) {
  const common = { model, seed: String(seed) };
  return subject === "class" ? { ...common, class: class_ } : { ...common, layer, channel: String(channel) };
}

/** The address without what only says how things are shown. */
export function stateOfDrawing() {
  return address.fingerprint(...SHOWN);
}
