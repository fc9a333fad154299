// One piece of work that the page waits for: its state, its result or what went wrong, and how to stop it.

import { announce, redraw } from "./drawing.js";
import { t } from "./language.js";
import { onBack } from "./service/connection.js";
import { NoAnswer, ServiceProblem, wasStopped } from "./service/problems.js";

/** All work there is. @type {Work<any>[]} */
const all = [];

/**
 * Forgets work that failed with such an error, so that it is begun again.
 * @param {(error: unknown) => boolean} concerns
 */
export function retryFailed(concerns) {
  for (const work of all) if (work.state === "failed" && concerns(work.error)) work.reset();
}

/**
 * Whether an error is a problem of this kind.
 * @param {string} kind
 * @returns {(error: unknown) => boolean}
 */
export function isProblem(kind) {
  return (error) => error instanceof ServiceProblem && error.kind === kind;
}

// Once for each piece of work: one whose connection breaks every time would otherwise begin again for ever.
onBack(() => {
  for (const work of all) if (work.state === "failed" && work.error instanceof NoAnswer) work.retryOnce();
});

/**
 * @template Result
 */
export class Work {
  /** What the work is about: two pieces of work with the same key have the same result. */
  key = "";
  /** @type {"idle" | "running" | "done" | "failed" | "stopped"} */
  state = "idle";
  /** @type {Result | null} */
  result = null;
  /** @type {unknown} */
  error = null;
  /** Seconds until a full service is asked again; 0 if it is not waited for. */
  waits = 0;
  /** @type {AbortController | null} */
  #controller = null;
  /** Key of the work that was begun again without the visitor having asked. */
  #retried = "";

  constructor() {
    all.push(this);
  }

  get running() {
    return this.state === "running";
  }

  /**
   * Begins the work, unless work with the same key is under way, done or failed. Ends other work that was under way.
   * @param {string} key
   * @param {(waiting: import("./service/requests.js").Waiting) => Promise<Result>} job
   */
  start(key, job) {
    if (key === this.key && this.state !== "idle" && this.state !== "stopped") return;
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    Object.assign(this, { key, state: "running", result: null, error: null, waits: 0 });
    void this.#run(controller, job);
    redraw();
  }

  /** Ends the work, here and in the service. */
  stop() {
    this.#controller?.abort();
    if (this.running) this.state = "stopped";
    redraw();
  }

  /** Ends the work if it is under way, as when its room is left. A result stays. */
  leave() {
    if (this.running) this.reset();
  }

  /** Forgets work that has failed, so that it is begun again; the second time it stays as it is. */
  retryOnce() {
    const { key } = this;
    if (key === this.#retried) return;
    this.reset();
    this.#retried = key;
  }

  /** Forgets everything, and ends the work if it is under way. */
  reset() {
    this.#controller?.abort();
    Object.assign(this, { key: "", state: "idle", result: null, error: null, waits: 0 });
    this.#retried = "";
    redraw();
  }

  /**
   * @param {AbortController} controller
   * @param {(waiting: import("./service/requests.js").Waiting) => Promise<Result>} job
   */
  async #run(controller, job) {
    const { signal } = controller;
    /** @param {number} seconds */
    const onWait = (seconds) => {
      if (this.waits === 0) announce(t("busy.waiting", { count: seconds }));
      this.waits = seconds;
      redraw();
    };
    try {
      const result = await job({ signal, onWait });
      if (!signal.aborted) {
        this.#retried = "";
        Object.assign(this, { state: "done", result });
      }
    } catch (error) {
      if (!signal.aborted && !wasStopped(error)) Object.assign(this, { state: "failed", error });
    }
    redraw();
  }
}
