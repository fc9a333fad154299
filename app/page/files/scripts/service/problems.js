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

/**
 * The problem of what the service is not even asked for, because it does not have it.
 * @param {string} kind
 * @param {string} detail
 */
export function notFound(kind, detail) {
  const type = `urn:mirage:problem:${kind}`;
  return new ServiceProblem({ type, title: "Not Found", status: 404, detail, request_id: "" });
}

/** The service did not answer: it was stopped, or the network is gone. */
export class NoAnswer extends Error {}

/**
 * Whether a proxy says that it does not reach the service, or not in time. The service itself says problem details.
 * @param {Response} response
 */
export function isOfProxy(response) {
  return [502, 503, 504].includes(response.status) && !hasProblem(response);
}

/** @param {Response} response */
function hasProblem(response) {
  return response.headers.get("Content-Type")?.startsWith("application/problem+json") ?? false;
}

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
  if (hasProblem(response)) {
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
