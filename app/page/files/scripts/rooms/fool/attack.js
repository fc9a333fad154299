// The attack: it runs in the service, and its progress arrives step by step.

import { announce, redraw } from "../../drawing.js";
import { number, percent, t } from "../../language.js";
import { currentPhoto } from "../../photo/photo.js";
import { follow } from "../../service/events.js";
import { modelName } from "../../service/models.js";
import { Work } from "../../work.js";
import { attackOptions } from "./options.js";

/** @typedef {import("../../../../types/schemas.d.ts").AdversarialResult} AdversarialResult */
/** @typedef {import("../../../../types/schemas.d.ts").Prediction} Prediction */
/** @typedef {import("../../service/events.js").Progress} Progress */
/** @typedef {import("../../service/requests.js").Waiting} Waiting */
/** Probabilities after a step. @typedef {{step: number, probabilities: readonly Prediction[]}} Moment */

const DRAW_MS = 100;
const SPOKEN_MS = 5000;

/** A run of an attack, with what has arrived of it. */
class Attack {
  /** @type {Work<AdversarialResult>} */
  work = new Work();
  /** @type {Progress | null} */
  latest = null;
  /** @type {Moment[]} */
  moments = [];
  #drawn = 0;
  #spoken = 0;

  /**
   * Runs the attack on the current photo. It does nothing if this very attack is under way or done.
   * @param {string} model
   */
  start(model) {
    const call = attackCall(model);
    const photo = currentPhoto();
    if (!call || !photo) return;
    const key = JSON.stringify([photo.id, call.options]);
    if (key === this.work.key && this.work.state !== "stopped") return;
    this.latest = null;
    this.moments = [];
    this.#spoken = performance.now();
    this.work.start(key, (waiting) => this.#run(call, waiting));
  }

  /**
   * @param {NonNullable<ReturnType<typeof attackCall>>} call
   * @param {Waiting} waiting
   */
  async #run(call, waiting) {
    /** @type {AdversarialResult} */
    const result = await follow(call, (progress) => this.#note(progress), waiting);
    const last = this.moments.at(-1);
    this.moments.push({ step: (last?.step ?? 0) + 1, probabilities: probabilitiesAfter(result) });
    announce(verdictOf(result));
    return result;
  }

  /** @param {Progress} progress */
  #note(progress) {
    this.latest = progress;
    if (progress.probabilities) this.moments.push({ step: progress.step, probabilities: progress.probabilities });
    const now = performance.now();
    if (now - this.#spoken > SPOKEN_MS) {
      this.#spoken = now;
      announce(t("fool.step", { step: progress.step, steps: progress.steps }));
    }
    // An attack may take a hundred steps a second: ten pictures a second are seen as movement, and cost a tenth of that.
    if (now - this.#drawn < DRAW_MS) return;
    this.#drawn = now;
    redraw();
  }
}

/** The attack on the chosen model, and the same attack on another one for comparison. */
export const attack = new Attack();
export const comparison = new Attack();

/**
 * The request for the current photo and choices; null before the photo is there.
 * @param {string} [model]
 */
export function attackCall(model = modelName()) {
  const photo = currentPhoto();
  if (!photo || !model) return null;
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
 * What the attack has reached, in a sentence.
 * @param {AdversarialResult} result
 */
export function verdictOf({ success, model, original, adversarial, stopped }) {
  const values = { model, original: original.label, label: adversarial.label, share: percent(adversarial.probability) };
  if (success) return t("fool.fooled", values);
  return t(stopped ? "fool.stopped-early" : "fool.not-fooled", values);
}

/**
 * The size of the change, in sentences.
 * @param {AdversarialResult} result
 */
export function figuresOf({ norms, perception, passes, seconds, survive }) {
  const levels = Math.round(norms.linf * 255);
  if (levels === 0) return [t("figures.nothing")];
  const sentences = [
    t("figures.unchanged", { share: percent(perception.unchanged), count: levels }),
    perception.ciede2000_p95 < 1
      ? t("figures.invisible", { difference: number(perception.ciede2000_p95) })
      : t("figures.visible", { difference: number(perception.ciede2000_p95) }),
    t("figures.norms", { l2: number(norms.l2), count: norms.l0 }),
    t("figures.passes", { count: passes.forward, seconds: number(seconds, 1) }),
  ];
  const conversions = survive.filter((name) => name !== "png");
  if (conversions.length) sentences.push(t("figures.survives", { conversions: conversions.join(", ") }));
  return sentences;
}
