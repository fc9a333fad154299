// Lists and dates as the reader's language writes them.

import { currentLanguage } from "../../language.js";

/**
 * Names or clauses, one after the other.
 * @param {readonly string[]} items
 * @param {"conjunction" | "unit"} [type] with an "and" before the last one, or only with commas
 */
export function list(items, type = "conjunction") {
  return new Intl.ListFormat(currentLanguage(), { type }).format(items);
}

/**
 * A day that is written as `2026-11-22`; anything else as it is.
 * @param {string} day
 */
export function date(day) {
  const time = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(time)) return day;
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "long", timeZone: "UTC" }).format(time);
}
