// Work in the service whose progress arrives step by step: drawn ten times a second, and spoken every few seconds.

import { announce, redraw } from "./drawing.js";
import { follow } from "./service/events.js";
import { Work } from "./work.js";

/** @typedef {import("./service/events.js").Progress} Progress */
/** @typedef {import("./service/requests.js").Call} Call */

const DRAW_MS = 100;
const SPOKEN_MS = 5000;

/**
 * @template Result
 */
export class Stream {
  /** @type {Work<Result>} */
  work = new Work();
  /** The last progress that has come. @type {Progress | null} */
  latest = null;
  #drawn = 0;
  #spoken = 0;

  /**
   * Sends the request, and follows its progress. It does nothing if this very work is under way, done or failed.
   * @param {string} key as that of Work
   * @param {Call} call
   * @param {object} options
   * @param {() => void} [options.onStart] called if the work begins
   * @param {(progress: Progress) => void} [options.onProgress]
   * @param {(progress: Progress) => string} options.spoken what a screen reader says of the progress
   * @param {(result: Result) => void} [options.onResult]
   */
  start(key, call, { onStart = () => {}, onProgress = () => {}, spoken, onResult = () => {} }) {
    if (key === this.work.key && this.work.state !== "stopped" && this.work.state !== "idle") return;
    this.latest = null;
    this.#spoken = performance.now();
    onStart();
    const note = (/** @type {Progress} */ progress) => {
      // Not every step comes with a picture: the one before stays until then.
      const { preview, change } = this.latest ?? {};
      this.latest = { preview, change, ...progress };
      onProgress(progress);
      this.#show(() => spoken(progress));
    };
    this.work.start(key, async (waiting) => {
      const noteUnlessEnded = (/** @type {Progress} */ progress) => waiting.signal?.aborted || note(progress);
      /** @type {Result} */
      const result = await follow(call, noteUnlessEnded, waiting);
      if (!waiting.signal?.aborted) onResult(result);
      return result;
    });
  }

  /** @param {() => string} text */
  #show(text) {
    const now = performance.now();
    if (now - this.#spoken > SPOKEN_MS) {
      this.#spoken = now;
      announce(text());
    }
    // There may be a hundred steps a second: ten pictures a second are seen as movement, and cost a tenth of that.
    if (now - this.#drawn < DRAW_MS) return;
    this.#drawn = now;
    redraw();
  }
}
