// What can go wrong with a request, and how the page says it.

/** @typedef {import("../../../types/schemas.d.ts").Problem} Problem */

/** The service answered with problem details (RFC 9457). */
export class ServiceProblem extends Error {
  /**
   * @param {Problem} problem
   * @param {number | null} retryAfter seconds until the service may have room, from its header Retry-After
   */
  constructor(problem, retryAfter = null) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** The kind of problem, such as `overloaded`. */
  get kind() {
    return (this.problem.type ?? "").split(":").pop() ?? "";
  }
}

/** The service did not answer: it was stopped, or the network is gone. */
export class NoAnswer extends Error {}

/**
 * The problem that a response describes.
 * @param {Response} response
 */
export async function problemOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  /** @type {Problem} */
  let problem = {
    type: "about:blank",
    title: response.statusText,
    status: response.status,
    detail: `${response.status} ${response.statusText}`,
    request_id: response.headers.get("X-Request-ID") ?? "",
  };
  if (response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    problem = { ...problem, ...(await response.json().catch(() => ({}))) };
  }
  return new ServiceProblem(problem, retryAfter);
}

/**
 * Whether a request ended because the visitor stopped it or left.
 * @param {unknown} error
 */
export function wasStopped(error) {
  return error instanceof DOMException && error.name === "AbortError";
}
