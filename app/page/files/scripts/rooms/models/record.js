// What a checkpoint records about its model. The training module chose the keys, and any of them may be missing.

/** @typedef {import("../../service/models.js").ModelDetail} ModelDetail */
/** The two shares between which one lies, with a confidence of 95 %. @typedef {[number, number]} Interval */
/** @typedef {{epsilon: number, accuracy: number, interval?: Interval}} Attacked */
/**
 * @typedef {object} Robustness
 * @property {string} attack
 * @property {string} [norm]
 * @property {{steps?: number}} [options]
 * @property {number} [photos]
 * @property {Attacked[]} curve
 */
/**
 * @typedef {object} Metrics
 * @property {number} [photos]
 * @property {number} [correct]
 * @property {number} [accuracy]
 * @property {Interval} [interval]
 * @property {number} [ece] expected calibration error
 * @property {Record<string, {photos: number, accuracy: number | null}>} [per_class]
 * @property {number[][]} [confusion]
 * @property {{class: string, taken_for: string, photos: number}[]} [mistaken]
 * @property {[number, number, number][]} [reliability] number of photos, mean confidence and accuracy
 * @property {Robustness | null} [robustness]
 */
/** @typedef {{kind?: string, name?: string, file?: string, licence?: string}} Source where an imported model is from */
/**
 * @typedef {object} Origin
 * @property {string} [created]
 * @property {{attack_steps?: number, epsilon?: number}} [recipe]
 * @property {{name?: string, photos?: Record<string, number[]>}} [data]
 * @property {{name?: string, licence?: string, split_differs?: boolean}} [parent]
 * @property {Source} [source]
 */
/** @typedef {{photos: number, confidence: number, accuracy: number, interval: Interval}} Bin */
/** @typedef {{label: string, photos: number, accuracy: number, other?: string, times?: number}} WeakClass */

export const LEVELS = 255;
/** The budget whose accuracy is written large. It is hardly visible. */
const TYPICAL = 4 / LEVELS;
/** How many standard deviations the interval of 95 % has on each side. */
const DEVIATIONS = 1.96;

/** @param {ModelDetail} model */
export function metricsOf(model) {
  return /** @type {Metrics} */ (model.metrics ?? {});
}

/** @param {ModelDetail} model */
export function originOf(model) {
  return /** @type {Origin} */ (model.provenance ?? {});
}

/**
 * Whether it is recorded how often the model is right.
 * @param {ModelDetail | undefined} model
 */
export function isMeasured(model) {
  return model !== undefined && metricsOf(model).accuracy !== undefined;
}

/**
 * The accuracy that the publisher of torchvision's weights reports, and on which data; null without one.
 * @param {ModelDetail} model
 */
export function publishedAccuracy(model) {
  for (const [data, figures] of Object.entries(model.metrics ?? {})) {
    const share = /** @type {{"acc@1"?: number} | null} */ (figures)?.["acc@1"];
    if (share !== undefined) return { data, accuracy: share / 100 };
  }
  return null;
}

/**
 * The accuracy under attack, from the smallest budget to the largest; null if it was not measured.
 * @param {ModelDetail} model
 */
export function robustnessOf(model) {
  const robustness = metricsOf(model).robustness;
  if (!robustness?.curve?.length) return null;
  return { ...robustness, curve: [...robustness.curve].sort((one, two) => one.epsilon - two.epsilon) };
}

/**
 * The budget that is written large: that next to four levels of 255.
 * @param {Robustness} robustness
 */
export function typical({ curve }) {
  const attacked = curve.filter(({ epsilon }) => epsilon > 0);
  const distance = (/** @type {Attacked} */ { epsilon }) => Math.abs(epsilon - TYPICAL);
  return attacked.sort((one, two) => distance(one) - distance(two))[0];
}

/**
 * Whether budgets are written in levels of 255: they limit the change of each colour value.
 * @param {Robustness} robustness
 */
export function inLevels({ norm = "linf" }) {
  return norm === "linf";
}

/**
 * A budget in the unit in which the page writes it.
 * @param {Robustness} robustness
 * @param {number} epsilon
 */
export function budget(robustness, epsilon) {
  return inLevels(robustness) ? Math.round(epsilon * LEVELS * 100) / 100 : epsilon;
}

/**
 * How often the model was right when it was about as sure as it says, for each confidence that occurred.
 * @param {ModelDetail} model
 * @returns {Bin[]}
 */
export function calibration(model) {
  const bins = (metricsOf(model).reliability ?? []).filter(([photos]) => photos > 0);
  return bins.map(([photos, confidence, accuracy]) => {
    return { photos, confidence, accuracy, interval: wilson(accuracy, photos) };
  });
}

/**
 * Wilson's interval for a share, as the training module computes it for the accuracy.
 * @param {number} share
 * @param {number} count
 * @returns {Interval}
 */
function wilson(share, count) {
  const square = DEVIATIONS ** 2 / count;
  const middle = share + square / 2;
  const half = DEVIATIONS * Math.sqrt((share * (1 - share)) / count + square / (4 * count));
  return [(middle - half) / (1 + square), (middle + half) / (1 + square)];
}

/**
 * The classes that were recognised least often, with what they were most often taken for.
 * @param {ModelDetail} model
 * @param {number} most
 * @returns {WeakClass[]}
 */
export function weakest(model, most) {
  const rows = Object.entries(metricsOf(model).per_class ?? {}).flatMap(([label, { photos, accuracy }]) =>
    accuracy === null || accuracy === undefined || accuracy >= 1 ? [] : [{ label, photos, accuracy }],
  );
  rows.sort((one, two) => one.accuracy - two.accuracy);
  return rows.slice(0, most).map((row) => ({ ...row, ...takenFor(model, row.label) }));
}

/**
 * @param {ModelDetail} model
 * @param {string} label
 * @returns {{other?: string, times?: number}}
 */
function takenFor(model, label) {
  const { confusion, mistaken = [] } = metricsOf(model);
  const known = mistaken.find((row) => row.class === label); // the most frequent mistakes come first
  if (known) return { other: known.taken_for, times: known.photos };
  const own = model.class_names.indexOf(label);
  const counts = (confusion?.[own] ?? []).map((count, index) => (index === own ? 0 : count));
  const times = Math.max(0, ...counts);
  return times > 0 ? { other: model.class_names[counts.indexOf(times)], times } : {};
}
