// The models that the service has: their list, and what is known about each. Both are asked once and then kept.

import { explainNone, value } from "../address.js";
import { redraw } from "../drawing.js";
import { onBack, onOutdatedModels } from "./connection.js";
import { NoAnswer, notFound } from "./problems.js";
import { isProblem, retryFailed } from "../work.js";
import { sameKind } from "./kinds.js";
import { json, pause } from "./requests.js";

/** @typedef {import("../../../types/schemas.d.ts").ModelSummary} ModelSummary */
/** @typedef {import("../../../types/schemas.d.ts").ModelDetail} ModelDetail */

const LOADING_MS = 1000;
/** @type {import("../../../types/schemas.d.ts").ModelList | null} */
let list = null;
/** @type {Map<string, ModelDetail>} */
const details = new Map();
/** @type {Map<string, Promise<ModelDetail>>} */
const asked = new Map();

/** Models of which the details did not come: they are not asked for again before the list was. @type {Set<string>} */
const failed = new Set();
/** Why there is no list, where no other notice says it. @type {unknown} */
let fault = null;

onBack(() => {
  details.clear(); // the service may have been started again with other models
  asked.clear();
  void loadModels();
});

let asksAgain = false;

onOutdatedModels(async () => {
  if (asksAgain) return;
  asksAgain = true;
  await pause(LOADING_MS); // for several answers once, and not without a pause where a model cannot be loaded
  await loadModels();
  asksAgain = false;
});

/** Asks for the list, and asks again as long as any model is being loaded. It does not throw: see `listFault`. */
export async function loadModels() {
  fault = null;
  try {
    for (;;) {
      list = await json({ path: "models" });
      forgetOldVersions();
      explainNone("model", list?.default ?? "");
      for (const name of failed) asked.delete(name);
      failed.clear();
      retryFailed(isProblem("still-loading"));
      redraw();
      if (!models().some((model) => model.state === "loading")) break;
      await pause(LOADING_MS);
    }
  } catch (error) {
    // The page has notices of its own for these two.
    if (!(error instanceof NoAnswer) && !isProblem("unauthorized")(error)) fault = error;
    redraw();
  }
}

/** Forgets what is known about models that were replaced by another version, or have gone. */
function forgetOldVersions() {
  for (const [name, { version }] of details) {
    if (models().some((model) => model.name === name && model.version === version)) continue;
    details.delete(name);
    asked.delete(name);
  }
}

/** Why the list did not come; null if it did, or if the service is gone or wants a key. */
export function listFault() {
  return fault;
}

/** All served models; none before the list is there. */
export function models() {
  return list?.models ?? [];
}

/**
 * Whether a model can be chosen: one that is not in memory is loaded when it is asked for.
 * @param {ModelSummary["state"]} state
 */
export function isUsable(state) {
  return state === "ready" || state === "unloaded";
}

/** Name of the model that the address chooses, or of the default model. Empty until the list is there. */
export function modelName() {
  return value("model") || (list?.default ?? "");
}

/** Name of the device that runs the networks. */
export function device() {
  return list?.device ?? "";
}

/**
 * What is known about a model; undefined until it is there. Draws the page again once it is.
 * @param {string} name
 */
export function detail(name) {
  if (isListed(name) && !details.has(name)) void loadDetail(name).catch(() => {}); // a room that needs it says why
  return details.get(name);
}

/**
 * Whether it is known what kind of model one is, or that it cannot be known: the service does not list it, or did not
 * say. Asks the service otherwise.
 * @param {string} name
 */
export function isSettled(name) {
  return models().length > 0 && (!isListed(name) || detail(name) !== undefined || failed.has(name));
}

/**
 * Asks what is known about a model, once.
 * @param {string} name
 * @returns {Promise<ModelDetail>}
 */
export function loadDetail(name) {
  const known = asked.get(name);
  if (known) return known;
  /** @type {Promise<ModelDetail>} */
  const promise = isListed(name)
    ? json({ path: modelPath(name) })
    : notServed(name);
  asked.set(name, promise);
  promise.then(
    (model) => {
      details.set(name, model);
      redraw();
    },
    () => failed.add(name),
  );
  return promise;
}

/**
 * The path of a model at the service; its name may contain slashes.
 * @param {string} name
 */
export function modelPath(name) {
  return `models/${name.split("/").map(encodeURIComponent).join("/")}`;
}

/** @param {string} name */
function isListed(name) {
  return models().some((model) => model.name === name);
}

/**
 * The service is asked only for models that it lists: in a link, a name may be a path to something else.
 * @param {string} name
 */
function notServed(name) {
  return Promise.reject(notFound("not-served", `the service has no model ${name}`));
}

/** Whether the list is there, and the details of every model that is ready. Without them, siblings may be missing. */
export function allDetailed() {
  return models().length > 0 && models().every(({ name, state }) => state !== "ready" || details.has(name));
}

/**
 * Whether a model was trained under attack.
 * @param {ModelDetail | undefined} model
 */
export function isRobust(model) {
  const recipe = /** @type {{attack_steps?: number} | undefined} */ (model?.provenance?.recipe);
  return (recipe?.attack_steps ?? 0) > 0;
}

/**
 * Names of the other served models of the same kind that are ready and have the same classes, those trained under
 * attack first.
 * @param {string} name
 */
export function siblings(name) {
  const own = detail(name);
  if (!own) return [];
  const others = models()
    .filter((model) => model.name !== name && model.state === "ready")
    .map((model) => detail(model.name))
    .filter((other) => other !== undefined)
    .filter((other) => sameClasses(own, other) && sameKind(own, other));
  return others.sort((one, two) => Number(isRobust(two)) - Number(isRobust(one))).map((model) => model.name);
}

/**
 * @param {ModelDetail} one
 * @param {ModelDetail} two
 */
function sameClasses(one, two) {
  const names = new Set(one.class_names);
  return names.size === two.class_names?.length && two.class_names.every((name) => names.has(name));
}
