// The address of the page holds its whole state: `#fool?photo=cat&target=dog`. A link reproduces what is seen.
// It is behind the `#`, which browsers do not send: the server learns nothing from it, and any proxy leaves it alone.

/** @typedef {"see" | "fool" | "imagine" | "models"} Room */
/** @typedef {Record<string, string>} Values */

/** @type {readonly Room[]} */
export const ROOMS = ["see", "fool", "imagine", "models"];

/** Values that stay the same when the visitor walks into another room. */
const SHARED = ["photo", "model"];

/** Values about a result, as they are when something has changed on which it depends. */
export const NO_RESULT = { run: "", prove: "", jpeg: "", versus: "", at: "" };

/** What is outdated once another photo or model was chosen. @type {Readonly<Record<string, readonly string[]>>} */
const OUTDATED = {
  photo: [...Object.keys(NO_RESULT), "target", "why", "box"],
  model: [...Object.keys(NO_RESULT), "target", "why", "layer", "map"],
};

/** Browsers take 100 to 200 changes of the address in ten seconds, and refuse more: a slider would be over that. */
const WRITE_MS = 250;
/** How long to wait before a change that was refused is tried again, in milliseconds. */
const REFUSED_MS = 2000;

/** The values that an address leaves out. A value without a default here is empty by default. */
/** @type {Readonly<Values>} */
const DEFAULTS = {
  photo: "chelsea",
  show: "photo",
  opacity: "60",
  split: "50",
  mode: "least",
  effort: "standard",
  confidence: "0",
  view: "compare",
  subject: "class",
  seed: "0",
  count: "1",
  beside: "none",
};

/** What an empty value means, where only the service says it: the default model. @type {Values} */
const meantByNone = {};
/** @type {{room: Room, values: Values}} */
let current = parse(location.hash);
/** What each room showed when it was left. @type {Partial<Record<Room, Values>>} */
const left = {};
/** @type {((before: Room) => void)[]} */
const listeners = [];
/** The names of the values that are being moved, by steps that share one entry of the browser's history. */
let gesture = "";
/** Timer of the address that is still to be written. @type {number | undefined} */
let pending;

/**
 * @param {string} hash
 * @returns {{room: Room, values: Values}}
 */
function parse(hash) {
  const [name = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const room = ROOMS.find((room) => room === name) ?? "see";
  return { room, values: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * @param {Room} room
 * @param {Values} values
 */
function format(room, values) {
  const kept = Object.entries(values).filter(([name, value]) => value !== (DEFAULTS[name] ?? ""));
  const query = new URLSearchParams(kept)
    .toString()
    .replaceAll("%2C", ",")
    .replaceAll("%3A", ":")
    .replaceAll("%2F", "/");
  return query ? `#${room}?${query}` : `#${room}`;
}

/** The room that the address names; the first room if it names none. */
export function room() {
  return current.room;
}

/**
 * A value of the address, or its default.
 * @param {string} name
 */
export function value(name) {
  return current.values[name] ?? DEFAULTS[name] ?? "";
}

/**
 * A number of the address, kept within bounds; the default if it is not a number.
 * @param {string} name
 * @param {number} least
 * @param {number} most
 * @param {number} [otherwise] the default, where it depends on something else
 */
export function number(name, least, most, otherwise = Number(DEFAULTS[name] ?? least)) {
  const text = value(name);
  const given = text === "" ? NaN : Number(text);
  const chosen = Number.isFinite(given) ? given : otherwise;
  return Math.min(most, Math.max(least, chosen));
}

/**
 * One of several names; the default one, or the first of them, if the address has another.
 * @template {string} Name
 * @param {string} name
 * @param {readonly Name[]} names
 * @returns {Name}
 */
export function choice(name, names) {
  const chosen = value(name);
  const known = names.find((known) => known === chosen) ?? names.find((known) => known === DEFAULTS[name]);
  return known ?? /** @type {Name} */ (names[0]);
}

/**
 * Changes values, and leaves out what is then outdated. Each change can be undone by the browser's "back". With
 * `replace` it takes the place of the one before. With `moving`, as while a slider is moved, all changes up to the next
 * one without it are one.
 * @param {Values} values
 * @param {{replace?: boolean, moving?: boolean}} [options]
 */
export function change(values, { replace = false, moving = false } = {}) {
  const changed = { ...current.values, ...values };
  const hash = format(current.room, { ...upToDate(current.values, changed), ...values });
  const same = hash === format(current.room, current.values);
  const moved = Object.keys(values).join();
  const goesOn = gesture === moved;
  if (same && !goesOn) return;
  current = parse(hash);
  if (moving && goesOn) pending ??= setTimeout(write, WRITE_MS, "replaceState");
  else write(goesOn || replace ? "replaceState" : "pushState");
  gesture = moving ? moved : "";
  if (!same) for (const listener of listeners) listener(current.room);
}

/**
 * Says what an empty value means. It stays empty in the address.
 * @param {string} name
 * @param {string} meaning
 */
export function explainNone(name, meaning) {
  meantByNone[name] = meaning;
}

/**
 * The address of a room: as it was left, with the shared values of now, and with `values`.
 * @param {Room} room
 * @param {Values} [values]
 */
export function link(room, values = {}) {
  const shared = Object.fromEntries(SHARED.map((name) => [name, values[name] ?? value(name)]));
  const before = (room === current.room ? current.values : left[room]) ?? {};
  return format(room, { ...upToDate(before, shared), ...shared, ...values });
}

/**
 * Values without those that are outdated because `changed` has another photo or model.
 * @param {Values} values
 * @param {Values} changed
 */
function upToDate(values, changed) {
  const meant = (/** @type {Values} */ values, /** @type {string} */ name) =>
    values[name] || meantByNone[name] || DEFAULTS[name];
  const outdated = SHARED.filter((name) => meant(values, name) !== meant(changed, name)).flatMap(
    (name) => OUTDATED[name] ?? [],
  );
  return Object.fromEntries(Object.entries(values).filter(([name]) => !outdated.includes(name)));
}

/**
 * The values of the address without those of `names`, for a comparison of two states.
 * @param {...string} names
 */
export function fingerprint(...names) {
  const kept = Object.entries(current.values).filter(([name]) => !names.includes(name));
  return format(current.room, Object.fromEntries(kept.sort()));
}

/**
 * Calls the function after every change of the address, with the room before it.
 * @param {(before: Room) => void} listener
 */
export function onChange(listener) {
  listeners.push(listener);
}

/**
 * Writes the state into the address. Where the browser refuses, it is tried again later.
 * @param {"pushState" | "replaceState"} method
 */
function write(method) {
  clearTimeout(pending);
  pending = undefined;
  const hash = format(current.room, current.values);
  try {
    history[method](null, "", hash);
  } catch {
    // Firefox and Safari say that they refuse; Chromium does nothing.
  }
  if (location.hash !== hash) pending = setTimeout(write, REFUSED_MS, "replaceState");
}

window.addEventListener("popstate", () => {
  clearTimeout(pending);
  pending = undefined;
  gesture = "";
  const before = current;
  current = parse(location.hash);
  if (before.room !== current.room) left[before.room] = before.values;
  for (const listener of listeners) listener(before.room);
});
