// The attack: it runs in the service, and its progress arrives step by step.

import { announce } from "../../drawing.js";
import { number, percent, probabilityText, t } from "../../language.js";
import { isClassified } from "../../photo/classification.js";
import { currentPhoto } from "../../photo/photo.js";
import { isMultiLabel } from "../../service/kinds.js";
import { detail, isSettled, modelName } from "../../service/models.js";
import { Stream } from "../../stream.js";
import { attackOptions } from "./options.js";

/** @typedef {import("../../../../types/schemas.d.ts").AdversarialResult} AdversarialResult */
/** @typedef {import("../../../../types/schemas.d.ts").Prediction} Prediction */
/** Probabilities after a step. @typedef {{step: number, probabilities: readonly Prediction[]}} Moment */

/** A run of an attack, with what has arrived of it. */
class Attack {
  /** @type {Stream<AdversarialResult>} */
  #stream = new Stream();
  /** @type {Moment[]} */
  moments = [];

  get work() {
    return this.#stream.work;
  }

  /** The last progress that has come; null before the first. */
  get latest() {
    return this.#stream.latest;
  }

  /**
   * Runs the attack on the current photo. It does nothing if this very attack is under way, done or failed.
   * @param {string} model
   */
  start(model) {
    const call = attackCall(model);
    const photo = currentPhoto();
    if (!call || !photo) return;
    this.#stream.start(JSON.stringify([photo.id, call.options]), call, {
      onStart: () => (this.moments = []),
      onProgress: ({ step, probabilities }) => probabilities && this.moments.push({ step, probabilities }),
      spoken: ({ step, steps }) => t("fool.step", { step, steps }),
      onResult: (result) => {
        const step = (this.moments.at(-1)?.step ?? 0) + 1;
        this.moments.push({ step, probabilities: probabilitiesAfter(result) });
        announce(verdictOf(result));
      },
    });
  }
}

/** The attack on the chosen model, and the same attack on another one for comparison. */
export const attack = new Attack();
export const comparison = new Attack();

/**
 * The request for the current photo and choices; null before the photo is there, and before it is known which attacks
 * work on the model and what it finds in the photo, as far as the choices depend on that.
 * @param {string} [model]
 */
export function attackCall(model = modelName()) {
  const photo = currentPhoto();
  if (!photo || !model || !isSettled(model)) return null;
  if (isMultiLabel(detail(model)) && !isClassified()) return null;
  return { path: "adversarial", image: photo.blob, name: photo.name, options: attackOptions(model) };
}

/**
 * The probabilities of the two classes that the result tells about.
 * @param {AdversarialResult} result
 * @returns {Prediction[]}
 */
function probabilitiesAfter({ original, adversarial, probabilities }) {
  const after = { ...original, probability: probabilities.original.after };
  return adversarial.index === original.index ? [after] : [adversarial, after];
}

/**
 * How far the attack is, in words.
 * @param {import("../../service/events.js").Progress | null} latest
 */
export function stepOf(latest) {
  return latest ? t("fool.step", { step: latest.step, steps: latest.steps }) : t("fool.starting");
}

/**
 * What the attack has reached, in a sentence.
 * @param {AdversarialResult} result
 */
export function verdictOf({ success, model, original, adversarial, stopped, target }) {
  const values = {
    model,
    original: original.label,
    label: adversarial.label,
    share: probabilityText(adversarial.probability),
  };
  if (isMultiLabel(detail(model))) {
    const end = success ? (target ? "found" : "lost") : stopped ? "stopped" : "same";
    return t(`fool.label.${end}`, values);
  }
  if (success) return t("fool.fooled", values);
  return t(stopped ? "fool.stopped-early" : "fool.not-fooled", values);
}

/**
 * The size of the change, in sentences; `result` is that of the current photo.
 * @param {AdversarialResult} result
 */
export function figuresOf({ norms, perception, passes, seconds, survive }) {
  const { width, height } = /** @type {import("../../photo/photo.js").Photo} */ (currentPhoto());
  const levels = Math.round(norms.linf * 255);
  if (levels === 0) return [t("figures.nothing")];
  const sentences = [
    t("figures.unchanged", { share: percent(perception.unchanged), count: levels }),
    perception.ciede2000_p95 < 1
      ? t("figures.invisible", { difference: number(perception.ciede2000_p95) })
      : t("figures.visible", { difference: number(perception.ciede2000_p95) }),
    t("figures.norms", { l2: number(norms.l2), count: norms.l0, pixels: width * height }),
    t("figures.passes", { count: passes.forward, seconds: number(seconds, 1) }),
  ];
  const conversions = survive.filter((name) => name !== "png").map((name) => t(`survive.${name}`));
  if (conversions.length) sentences.push(t("figures.survives", { conversions: conversions.join(", ") }));
  return sentences;
}

/** Whether the attack is that on the current photo with the current choices. */
export function isCurrent() {
  const call = attackCall();
  const photo = currentPhoto();
  return call !== null && photo !== null && attack.work.key === JSON.stringify([photo.id, call.options]);
}
