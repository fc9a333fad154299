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

/** What is outdated in a room that was left, when meanwhile another photo or model was chosen. */
/** @type {Readonly<Record<string, readonly string[]>>} */
const OUTDATED = {
  photo: [...Object.keys(NO_RESULT), "target", "why", "box"],
  model: [...Object.keys(NO_RESULT), "target", "why", "layer", "map", "class", "channel"],
};

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
 */
export function number(name, least, most) {
  const text = value(name);
  const given = text === "" ? NaN : Number(text);
  const chosen = Number.isFinite(given) ? given : Number(DEFAULTS[name] ?? least);
  return Math.min(most, Math.max(least, chosen));
}

/**
 * One of several names; the first of them if the address has another.
 * @template {string} Name
 * @param {string} name
 * @param {readonly Name[]} names
 * @returns {Name}
 */
export function choice(name, names) {
  const chosen = value(name);
  return names.find((known) => known === chosen) ?? /** @type {Name} */ (names[0]);
}

/**
 * Changes values. Each change can be undone by the browser's "back"; with `replace` it takes the place of the one
 * before, as while a slider is moved.
 * @param {Values} values
 * @param {{replace?: boolean}} [options]
 */
export function change(values, { replace = false } = {}) {
  go(current.room, { ...current.values, ...values }, replace);
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
  const shared = Object.fromEntries(SHARED.map((name) => [name, value(name)]));
  const before = { ...left[room] };
  const meant = (/** @type {Values} */ values, /** @type {string} */ name) =>
    values[name] || meantByNone[name] || DEFAULTS[name];
  const other = left[room] ? SHARED.filter((name) => meant(before, name) !== meant(shared, name)) : [];
  for (const name of other) for (const outdated of OUTDATED[name] ?? []) delete before[outdated];
  return format(room, { ...before, ...shared, ...values });
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
 * @param {Room} room
 * @param {Values} values
 * @param {boolean} replace
 */
function go(room, values, replace) {
  const hash = format(room, values);
  if (hash === format(current.room, current.values)) return;
  if (replace) history.replaceState(null, "", hash);
  else history.pushState(null, "", hash);
  arrive();
}

function arrive() {
  const before = current.room;
  if (ROOMS.includes(before)) left[before] = current.values;
  current = parse(location.hash);
  for (const listener of listeners) listener(before);
}

window.addEventListener("popstate", arrive);
