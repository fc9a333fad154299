// How a request names a class.

/**
 * Index of the class that a name or an index means; null if there is none.
 * @param {readonly string[]} names
 * @param {string} reference
 */
export function indexOfClass(names, reference) {
  const index = names.indexOf(reference);
  if (index >= 0) return index;
  return /^\d+$/.test(reference) && Number(reference) < names.length ? Number(reference) : null;
}

/**
 * How a request names a class: by its name, or by its index where the name is that of several or cannot be in a path.
 * @param {readonly string[]} names
 * @param {number} index
 */
export function classReference(names, index) {
  const name = names[index] ?? "";
  const clear = names.indexOf(name) === names.lastIndexOf(name) && /^[^/\\]*[^/\\.\d][^/\\]*$/.test(name);
  return clear ? name : String(index);
}
