// The command that trains a model on the visitor's photos, for a POSIX shell.

import { quoted } from "../../parts/code.js";

const CHECKPOINTS = "models/checkpoints";
const ARCHIVE = /\.(zip|tar|tgz|tar\.\w+)$/i;
/** What make, or the shell that make starts, would read as something else than a letter. */
const NOT_FOR_MAKE = /["$`\\]/;

/**
 * A folder's name without what nobody can see. A link may bring some along, which a terminal would obey.
 * @param {string} folder
 */
export function visible(folder) {
  return folder.replace(/[\p{Cc}\p{Bidi_Control}]/gu, "").trim();
}

/**
 * The name of a folder, or of the one in an archive, without the path to it.
 * @param {string} folder
 */
export function baseName(folder) {
  const last =
    folder
      .replace(/[/\\]+$/, "")
      .split(/[/\\]/)
      .pop() ?? "";
  return last.replace(ARCHIVE, "");
}

/**
 * The name of the model: that of the folder or archive, or with a number if there is a model of that name.
 * @param {string} folder
 * @param {readonly string[]} taken
 */
export function modelNameFor(folder, taken) {
  const words = baseName(folder)
    .split(/[^\p{L}\p{M}\p{N}_]+/u)
    .filter((word) => word);
  const name = words.join("-") || "mine";
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    if (!taken.includes(candidate)) return candidate;
  }
}

/**
 * @param {string} folder
 * @param {string} name of the model
 */
export function trainCommand(folder, name) {
  const data = wordOf(folder);
  const output = `${CHECKPOINTS}/${name}.safetensors`;
  if (NOT_FOR_MAKE.test(folder)) return `.venv/bin/python -m training fit ${data} --output ${quoted(output)}`;
  return `make train DATA=${data} OUTPUT=${quoted(output)}`;
}

/** @param {string} folder */
function wordOf(folder) {
  if (folder === "~") return '"$HOME"';
  // In quotes, the shell would take the tilde for a letter.
  if (folder.startsWith("~/")) return folder.length > 2 ? `"$HOME"/${quoted(folder.slice(2))}` : '"$HOME"/';
  return quoted(folder.startsWith("-") ? `./${folder}` : folder); // not an option
}
