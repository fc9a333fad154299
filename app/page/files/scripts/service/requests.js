// Requests to the service: one function for all, which waits while the service is full and tells when it is gone.

import { noteAnswer, noteNoAnswer, noteOutdatedModels } from "./connection.js";
import { apiKey, noteKeyWanted } from "./key.js";
import { isOfProxy, NoAnswer, notFound, problemOf, ServiceProblem, wasStopped } from "./problems.js";

/** The address below which the service is published, with `/` at its end: a proxy may have put it below a path. */
export const BASE = new URL("../../../", import.meta.url);
const LONGEST_WAIT_S = 60;

/** @typedef {Record<string, string | number | boolean | undefined>} Options */
/**
 * A request: `path` without `/` at its start, a picture to send as the form field `image`, and options, which go into
 * the form beside it, or into the query where there is none. Empty and undefined options are left out.
 * @typedef {{path: string, image?: Blob, name?: string, options?: Options}} Call
 */
/**
 * @typedef {object} Waiting
 * @property {AbortSignal} [signal] ends the request, and the service's work on it
 * @property {(seconds: number) => void} [onWait] called before each wait for a full service, and with 0 after it
 */

/**
 * The options that say something.
 * @param {Options} options
 * @returns {[string, string][]}
 */
export function givenOptions(options = {}) {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => [name, String(value)]);
}

/**
 * The URL of a request, with its options where it sends no picture.
 * @param {Call} call
 */
export function urlOf({ path, image, options }) {
  const url = new URL(path, BASE);
  if (!image) for (const [name, value] of givenOptions(options)) url.searchParams.set(name, value);
  return url;
}

/**
 * Sends a request and returns the response. While the service is full, tries again when it says. Throws ServiceProblem,
 * NoAnswer, or the DOMException of the signal.
 * @param {Call} call
 * @param {Waiting} [waiting]
 * @returns {Promise<Response>}
 */
export async function send(call, { signal, onWait = () => {} } = {}) {
  for (;;) {
    try {
      return await sendOnce(call, signal);
    } catch (error) {
      const seconds = error instanceof ServiceProblem && error.kind === "overloaded" ? error.retryAfter : null;
      if (seconds === null || seconds > LONGEST_WAIT_S) throw error;
      await countDown(seconds, onWait, signal);
    }
  }
}

/**
 * Sends a request and returns its JSON.
 * @template Result
 * @param {Call} call
 * @param {Waiting} [waiting]
 * @returns {Promise<Result>}
 */
export async function json(call, waiting) {
  const response = await send(call, waiting);
  return reading(() => response.json());
}

/**
 * Sends a request and returns what comes as a file.
 * @param {Call} call
 * @param {Waiting} [waiting]
 */
export async function file(call, waiting) {
  const response = await send(call, waiting);
  return reading(() => response.blob());
}

/**
 * Does what asks the service, or reads its answer. Where it cannot be reached or the connection breaks, this is noted,
 * and NoAnswer thrown.
 * @template Result
 * @param {() => Promise<Result>} ask
 * @returns {Promise<Result>}
 */
export async function reading(ask) {
  try {
    return await ask();
  } catch (error) {
    if (wasStopped(error)) throw error;
    noteNoAnswer();
    throw new NoAnswer(String(error));
  }
}

/**
 * @param {Call} call
 * @param {AbortSignal} [signal]
 */
async function sendOnce(call, signal) {
  // A browser would take `..` out of the address, and ask for something else.
  if (call.path.split("/").some((segment) => segment === "." || segment === ".."))
    throw notFound("not-found", `the service has nothing at ${call.path}`);
  const headers = apiKey() ? { "X-API-Key": apiKey() } : undefined;
  const method = call.image ? "POST" : "GET";
  const response = await reading(() => fetch(urlOf(call), { method, body: formOf(call), headers, signal }));
  if (isOfProxy(response)) {
    noteNoAnswer();
    throw new NoAnswer(`${response.status} ${response.statusText}`);
  }
  noteAnswer();
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 || problem.kind === "too-many-wrong-keys") noteKeyWanted();
  if (["not-served", "still-loading", "loading-failed"].includes(problem.kind)) noteOutdatedModels();
  throw problem;
}

/** @param {Call} call */
function formOf({ image, name, options }) {
  if (!image) return undefined;
  const form = new FormData();
  for (const [option, value] of givenOptions(options)) form.append(option, value);
  form.append("image", image, name ?? "picture");
  return form;
}

/**
 * @param {number} seconds
 * @param {(seconds: number) => void} onWait
 * @param {AbortSignal} [signal]
 */
async function countDown(seconds, onWait, signal) {
  for (let left = Math.ceil(seconds); left > 0; left -= 1) {
    onWait(left);
    await pause(1000, signal);
  }
  onWait(0);
}

/**
 * Waits; throws the reason of the signal if it is aborted meanwhile.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop);
  });
}
