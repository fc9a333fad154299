// The pictures that are drawn: that of the visitor's choices, and the one beside it. Both grow step by step.

import { announce } from "../../drawing.js";
import { t } from "../../language.js";
import { Stream } from "../../stream.js";
import { stateOfDrawing } from "./options.js";
import { verdictOf } from "./verdict.js";

/** @typedef {import("../../../../types/schemas.d.ts").IdealResult} IdealResult */
/** @typedef {import("../../service/requests.js").Call} Call */
/** @typedef {import("../../parts/chart.js").Point} Point */
/**
 * What was drawn by a request.
 * @typedef {{points: readonly Point[], steps: number, result: IdealResult}} Drawn
 */

const REMEMBERED = 12;
/**
 * The last drawings, so that "back" shows them at once, and with the chart of their steps.
 * @type {Map<string, Drawn>}
 */
const memory = new Map();

/** @param {Call} call */
export function keyOf(call) {
  return JSON.stringify(call);
}

class Drawing {
  /** @type {Stream<IdealResult>} */
  stream = new Stream();
  /** The score after each step. @type {Point[]} */
  points = [];
  /** @type {Call | null} */
  call = null;
  /** The address that draws this. */
  state = "";

  get work() {
    return this.stream.work;
  }

  /**
   * Draws, unless this very request is under way, done or failed.
   * @param {Call} call
   */
  start(call) {
    const key = keyOf(call);
    const known = memory.get(key);
    if (known && key !== this.work.key) {
      this.#begin(call, [...known.points]);
      this.work.start(key, async () => known.result);
      return;
    }
    this.stream.start(key, call, {
      onStart: () => this.#begin(call, []),
      onProgress: ({ step, score }) => score === null || this.points.push({ x: step, y: score }),
      spoken: ({ step, steps }) => t("ideal.step", { step, steps }),
      onResult: (result) => {
        this.#remember(key, result);
        announce(verdictOf(result, 0));
      },
    });
  }

  /**
   * @param {Call} call
   * @param {Point[]} points
   */
  #begin(call, points) {
    Object.assign(this, { call, points, state: stateOfDrawing() });
    this.stream.latest = null;
  }

  /**
   * @param {string} key
   * @param {IdealResult} result
   */
  #remember(key, result) {
    const steps = this.stream.latest?.steps ?? 0;
    memory.set(key, { points: this.points, steps, result });
    for (const old of [...memory.keys()].slice(0, -REMEMBERED)) memory.delete(old);
  }

  /** Ends the work, and forgets what was drawn. */
  forget() {
    this.work.reset();
    Object.assign(this, { call: null, points: [], state: "" });
    this.stream.latest = null;
  }

  /**
   * Whether this request is the one that is done.
   * @param {Call | null} call
   */
  isDone(call) {
    return call !== null && this.work.state === "done" && this.work.key === keyOf(call);
  }

  /** Number of steps of the whole drawing, as far as it is known. */
  get steps() {
    return this.stream.latest?.steps ?? memory.get(this.work.key)?.steps ?? 0;
  }
}

export const main = new Drawing();
export const beside = new Drawing();
/** @typedef {Drawing} AnyDrawing */
