// Results that come as server-sent events: the progress of a task, step by step, and then its result.
// The browser's own EventSource cannot send a picture, nor an API key, so the stream is read from a fetch.

import { noteNoAnswer } from "./connection.js";
import { NoAnswer, ServiceProblem } from "./problems.js";
import { reading, send } from "./requests.js";

/** @typedef {import("./requests.js").Call} Call */
/** @typedef {import("./requests.js").Waiting} Waiting */
/**
 * @typedef {object} Progress
 * @property {number} step
 * @property {number} steps
 * @property {number | null} score
 * @property {boolean | null} success
 * @property {number | null} eta_s
 * @property {string} [preview] the picture so far, as a data URL
 * @property {string} [change] the perturbation so far, amplified, as a data URL
 * @property {import("../../../types/schemas.d.ts").Prediction[]} [probabilities] the most probable classes
 */

/**
 * Sends a request with `format=events`, passes on its progress, and returns its result.
 * Throws ServiceProblem, NoAnswer, or the DOMException of the signal.
 * @template Result
 * @param {Call} call
 * @param {(progress: Progress) => void} onProgress
 * @param {Waiting} [waiting]
 * @returns {Promise<Result>}
 */
export async function follow(call, onProgress, waiting) {
  const options = { ...call.options, format: "events", previews: true };
  const response = await send({ ...call, options }, waiting);
  for await (const { event, data } of eventsOf(response)) {
    if (event === "progress") onProgress(JSON.parse(data));
    else if (event === "problem") throw new ServiceProblem(JSON.parse(data));
    else if (event === "result") return JSON.parse(data);
  }
  noteNoAnswer(); // the stream ended without a result: the process has ended
  throw new NoAnswer("the event stream ended early");
}

/**
 * The events of a stream. Lines end with a line feed, as the service writes them; other fields are skipped.
 * @param {Response} response
 * @returns {AsyncGenerator<{event: string, data: string}>}
 */
async function* eventsOf(response) {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  // A result has megabytes in one line, which arrives in hundreds of pieces: they are joined only once it is complete.
  /** @type {string[]} */
  let pieces = [];
  let event = "";
  try {
    for (;;) {
      const { done, value } = await reading(() => reader.read());
      if (done) return;
      const lines = value.split("\n");
      for (const [index, line] of lines.entries()) {
        pieces.push(line);
        if (index === lines.length - 1) break; // its end has not come yet
        const whole = pieces.join("").trimEnd();
        pieces = [];
        if (whole.startsWith("event:")) event = whole.slice("event:".length).trim();
        else if (whole.startsWith("data:")) yield { event, data: whole.slice("data:".length) };
      }
    }
  } finally {
    await reader.cancel().catch(() => {}); // where the caller stops early, the service stops as well
  }
}
