// Files that the page makes: from data URLs, and for the visitor to save.

/**
 * The file of a data URL. Its bytes are those that the service has sent.
 * @param {string} url
 */
export function fileOf(url) {
  const comma = url.indexOf(",");
  const bytes = Uint8Array.from(atob(url.slice(comma + 1)), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: url.slice("data:".length, comma).split(";", 1)[0] });
}

/**
 * Lets the browser save a file.
 * @param {Blob} file
 * @param {string} name
 */
export function save(file, name) {
  const url = URL.createObjectURL(file);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/**
 * A file name of words, without characters that some system does not allow.
 * @param {readonly (string | number)[]} words
 * @param {string} ending
 */
export function fileName(words, ending) {
  return `${words.join("-").replace(/[^\p{L}\p{N}._-]+/gu, "-")}.${ending}`;
}
