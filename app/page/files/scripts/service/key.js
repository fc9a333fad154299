// The API key, where the operator of the service requires one. It is forgotten when the tab is closed.

import { remember, remembered } from "../storage.js";

const STORED = "mirage-api-key";
let wanted = false;
/** The key that the service has refused last. */
let refused = "";

/** The key that the visitor has entered; empty if there is none. */
export function apiKey() {
  return remembered("session", STORED) ?? "";
}

/**
 * Keeps the key for this tab.
 * @param {string} key
 */
export function rememberKey(key) {
  // A header can only have Latin letters, and no key has others: what was mistyped is refused as a wrong key.
  const typed = key.trim();
  wanted = false;
  remember("session", STORED, /^[\x20-\x7e]*$/.test(typed) ? typed : encodeURIComponent(typed));
}

/** Notes that the service has refused a request for want of a valid key. */
export function noteKeyWanted() {
  wanted = true;
  refused = apiKey();
}

/** Whether the service has refused the key that is in use. */
export function isKeyRefused() {
  return refused !== "" && refused === apiKey();
}

/** Whether the page must ask for a key. */
export function keyWanted() {
  return wanted;
}
