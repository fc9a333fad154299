// The API key, where the operator of the service requires one. It is forgotten when the tab is closed.

const STORED = "mirage-api-key";
let wanted = false;

/** The key that the visitor has entered; empty if there is none. */
export function apiKey() {
  return sessionStorage.getItem(STORED) ?? "";
}

/**
 * Keeps the key for this tab.
 * @param {string} key
 */
export function rememberKey(key) {
  sessionStorage.setItem(STORED, key.trim());
}

/** Notes that the service has refused a request for want of a valid key. */
export function noteKeyWanted() {
  wanted = true;
}

/** Whether the page must ask for a key, or show that one is in use. */
export function keyWanted() {
  return wanted || apiKey() !== "";
}
