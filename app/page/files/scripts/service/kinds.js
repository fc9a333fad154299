// What kind of model one is, as far as it matters to the page: of labels or of classes, with gradients or without.

/** @typedef {import("../../../types/schemas.d.ts").ModelDetail} ModelDetail */

/** The probability from which on a model of several labels per photo finds a label. */
const FOUND = 0.5;

/** The largest number of classes that the service returns at once: all labels of a model of several per photo. */
export const MOST_CLASSES = 1000;

/**
 * Whether each class is a label of its own: a photo can have several, and the probabilities do not add up to one.
 * @param {ModelDetail | undefined} model
 */
export function isMultiLabel(model) {
  return model?.preprocessing?.multi_label === true;
}

/**
 * Whether such a model finds a label of this probability.
 * @param {{probability: number}} prediction
 */
export function isFound({ probability }) {
  return probability >= FOUND;
}

/**
 * Whether the model gives gradients, without which it can neither be explained nor draw, and only one attack works.
 * Nothing else is assumed as long as nothing is known.
 * @param {ModelDetail | undefined} model
 */
export function hasGradients(model) {
  return model?.preprocessing?.differentiable !== false;
}

/**
 * Whether two models can be compared, as far as their kinds go.
 * @param {ModelDetail} one
 * @param {ModelDetail} two
 */
export function sameKind(one, two) {
  return isMultiLabel(one) === isMultiLabel(two) && hasGradients(one) === hasGradients(two);
}
