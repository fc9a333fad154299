// Dates as the reader's language writes them.

import { currentLanguage } from "../../language.js";

/**
 * A day that is written as `2026-11-22`; anything else as it is.
 * @param {string} day
 */
export function date(day) {
  const time = Date.parse(`${day}T00:00:00Z`);
  if (Number.isNaN(time)) return day;
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "long", timeZone: "UTC" }).format(time);
}
