// What went wrong with a piece of work, as a sentence with the next step.

import { html, nothing } from "../html.js";
import { hasText, t } from "../language.js";
import { NoAnswer, ServiceProblem } from "../service/problems.js";

/**
 * The state of work that has no result yet: why it waits, or why it failed. Nothing where there is nothing to say.
 * @param {import("../work.js").Work<unknown>} work
 * @param {() => void} [retry] tries again
 */
export function workNotice(work, retry) {
  if (work.running && work.waits > 0) return html`<p class="notice">${t("busy.waiting", { count: work.waits })}</p>`;
  if (work.state !== "failed") return nothing;
  return problemNotice(work.error, retry);
}

/**
 * @param {unknown} error
 * @param {() => void} [retry]
 */
export function problemNotice(error, retry) {
  const again = retry
    ? html`<button type="button" class="plain" @click=${retry}>${t("action.again")}</button>`
    : nothing;
  if (error instanceof NoAnswer)
    return html`<div class="notice" role="alert"><p>${t("problem.no-answer")}</p>${again}</div>`;
  if (!(error instanceof ServiceProblem)) {
    return html`<div class="notice" role="alert"><p>${t("problem.page", { reason: String(error) })}</p>${again}</div>`;
  }
  const key = `problem.${error.kind}`;
  return html`<div class="notice" role="alert">
    <p>${hasText(key) ? t(key) : t("problem.other", { status: error.problem.status })}</p>
    <p class="detail" lang="en">${error.problem.detail}</p>
    ${
      error.problem.status === 500
        ? html`<p class="detail">${t("problem.request-id", { id: error.problem.request_id })}</p>`
        : nothing
    }
    ${again}
  </div>`;
}
