// Whether the service answers. If it does not, the page asks it every two seconds until it does.

import { redraw } from "../drawing.js";

const HEALTH = new URL("../../../health/ready", import.meta.url);
const INTERVAL_MS = 2000;
let gone = false;
/** @type {(() => void)[]} */
const whenBack = [];

/** Whether the service has stopped answering. */
export function isGone() {
  return gone;
}

/**
 * Calls the function whenever the service answers again.
 * @param {() => void} listener
 */
export function onBack(listener) {
  whenBack.push(listener);
}

/** @type {(() => void)[]} */
const whenOutdated = [];

/**
 * Calls the function whenever an answer shows that the list of models is out of date: files of models come and go.
 * @param {() => void} listener
 */
export function onOutdatedModels(listener) {
  whenOutdated.push(listener);
}

/** Notes that the service does not have a model any more, or is loading it. */
export function noteOutdatedModels() {
  for (const listener of whenOutdated) listener();
}

/** Notes that a request was answered. */
export function noteAnswer() {
  if (!gone) return;
  gone = false;
  for (const listener of whenBack) listener();
  redraw();
}

/** Notes that a request was not answered. */
export function noteNoAnswer() {
  if (gone) return;
  gone = true;
  redraw();
  setTimeout(ask, INTERVAL_MS);
}

async function ask() {
  try {
    // While models are being loaded the answer is 503; an event for "back" then would only lead to failing requests.
    if ((await fetch(HEALTH)).ok) return noteAnswer();
  } catch {
    // It is still gone.
  }
  if (gone) setTimeout(ask, INTERVAL_MS);
}
