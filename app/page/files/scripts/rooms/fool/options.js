// What the visitor has chosen about the attack, from the address, and the options of the request that follow from it.

import * as address from "../../address.js";
import { isClassified, topClass } from "../../photo/classification.js";
import { classReference } from "../../service/classes.js";
import { EFFORTS } from "../../service/efforts.js";
import { hasGradients, isFound, isMultiLabel } from "../../service/kinds.js";
import { detail, modelName } from "../../service/models.js";

export const MODES = /** @type {const} */ (["least", "budget"]);
const NORMS = /** @type {const} */ (["l2", "linf", "l1", "l0"]);
/** @typedef {typeof NORMS[number]} Norm */

/**
 * The attacks of each mode with the norms in which they work, the default one first. A test compares this table with
 * the service's own.
 * @type {Readonly<Record<typeof MODES[number], Readonly<Record<string, readonly Norm[]>>>>}
 */
export const ATTACKS = {
  least: {
    auto: ["l2", "linf", "l1", "l0"],
    ddn: ["l2"],
    deepfool: ["l2", "linf"],
    fmn: ["l2", "linf", "l1", "l0"],
    carlini_wagner: ["l2"],
    sigma_zero: ["l0"],
  },
  budget: {
    pgd: ["linf", "l2", "l1"],
    apgd: ["linf", "l2", "l1"],
    bim: ["linf"],
    mi_fgsm: ["linf"],
    fgsm: ["linf"],
    square: ["linf", "l2"],
  },
};

/**
 * The slider of the budget in each norm: its range, and where it begins. The unit of L∞ is a level of 255.
 * @type {Readonly<Record<Norm, {min: number, max: number, step: number, start: number}>>}
 */
export const BUDGETS = {
  linf: { min: 1, max: 32, step: 1, start: 4 },
  l2: { min: 0.25, max: 16, step: 0.25, start: 2 },
  l1: { min: 5, max: 1000, step: 5, start: 200 },
  l0: { min: 1, max: 1000, step: 1, start: 100 }, // no attack within a budget works in L0
};

/** The only attack that needs no gradients, its mode, and by how many times larger a budget its slider begins. */
const WITHOUT_GRADIENTS = { mode: /** @type {const} */ ("budget"), attacks: ["square"], start: 4 };

export const SURVIVALS = /** @type {const} */ (["jpeg:75", "resize:0.5"]);

/**
 * The chosen mode, attack, norm and so on. What does not go together, or does not work on the model, is replaced by
 * defaults.
 */
export function choices() {
  const anyAttack = hasGradients(detail(modelName()));
  const mode = anyAttack ? address.choice("mode", MODES) : WITHOUT_GRADIENTS.mode;
  const attacks = anyAttack ? Object.keys(ATTACKS[mode]) : WITHOUT_GRADIENTS.attacks;
  const attack = address.choice("attack", attacks);
  const norms = /** @type {readonly Norm[]} */ (ATTACKS[mode][attack]);
  const norm = address.choice("norm", norms);
  const { min, max, start: usual } = BUDGETS[norm];
  const start = anyAttack ? usual : usual * WITHOUT_GRADIENTS.start;
  return {
    anyAttack,
    mode,
    attacks,
    attack,
    norms,
    norm,
    budget: address.number("budget", min, max, start),
    effort: address.choice("effort", EFFORTS),
    confidence: address.number("confidence", 0, 20),
    survive: SURVIVALS.filter((survival) => address.value("survive").split(",").includes(survival)),
    target: address.value("target") || targetOfNone(),
    box: parseBox(address.value("box")),
  };
}

/** Whether a model of several labels per photo finds none in this one, so that none can be removed. */
export function findsNone() {
  const top = isClassified() ? topClass() : undefined;
  return top !== undefined && !isFound(top) && isMultiLabel(detail(modelName()));
}

/** The target where the visitor has chosen none: none, or the most probable label where no label is found. */
function targetOfNone() {
  const top = topClass();
  return top && findsNone() ? classReference(detail(modelName())?.class_names ?? [], top.index) : "";
}

/**
 * A rectangle in pixels of the photo.
 * @typedef {{left: number, top: number, width: number, height: number}} Box
 */

/**
 * @param {string} text
 * @returns {Box | null}
 */
export function parseBox(text) {
  const numbers = text.split(",").map(Number);
  const [left = NaN, top = NaN, width = NaN, height = NaN] = numbers;
  if (numbers.length !== 4 || !numbers.every(Number.isInteger) || left < 0 || top < 0 || width < 1 || height < 1)
    return null;
  return { left, top, width, height };
}

/** @param {Box} box */
export function formatBox({ left, top, width, height }) {
  return [left, top, width, height].join(",");
}

/**
 * The options of POST /adversarial.
 * @param {string} model
 * @returns {import("../../service/requests.js").Options}
 */
export function attackOptions(model) {
  const { mode, attack, norm, budget, effort, confidence, survive, target, box } = choices();
  return {
    model,
    target,
    // 4/255 rather than 0.0157: the reader of the code sees the levels.
    epsilon: mode === "least" ? "" : norm === "linf" ? `${budget}/255` : budget,
    attack: attack === "auto" || attack === "pgd" ? "" : attack,
    norm: norm === ATTACKS[mode][attack]?.[0] ? "" : norm,
    effort: attack === "auto" && effort !== "standard" ? effort : "",
    confidence: confidence || "",
    survive: survive.join(","),
    box: box ? formatBox(box) : "",
  };
}
