// What the page remembers of its reader. A browser that forbids it, as with all cookies blocked, forgets it on leaving.

/** What could not be kept, for as long as the page is open. @type {Map<string, string>} */
const kept = new Map();

/**
 * A remembered text; null if there is none.
 * @param {"local" | "session"} where until the reader deletes it, or until the tab is closed
 * @param {string} name
 */
export function remembered(where, name) {
  try {
    return storage(where).getItem(name) ?? kept.get(name) ?? null;
  } catch {
    return kept.get(name) ?? null;
  }
}

/**
 * Remembers a text.
 * @param {"local" | "session"} where
 * @param {string} name
 * @param {string} text
 */
export function remember(where, name, text) {
  kept.set(name, text);
  try {
    storage(where).setItem(name, text);
  } catch {
    // It is kept until the page is left.
  }
}

/** @param {"local" | "session"} where */
function storage(where) {
  return where === "local" ? localStorage : sessionStorage;
}
