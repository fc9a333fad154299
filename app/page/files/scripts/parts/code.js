// The code for what was just done: the same request with curl and with Python.

import { html, nothing } from "../html.js";
import { t } from "../language.js";
import { announce, redraw } from "../drawing.js";
import { fold } from "./fold.js";
import { BASE, givenOptions, urlOf } from "../service/requests.js";
import { apiKey } from "../service/key.js";

/** @typedef {import("../service/requests.js").Call} Call */

const COPIED_MS = 2000;
let copied = "";

/**
 * A fold with the code of a request.
 * @param {Call} call
 * @param {object} options
 * @param {string} [options.file] name of the picture's file
 * @param {string} [options.download] path of the picture at the service, if it is one of the samples
 * @param {string} [options.save] name of the file into which the answer goes; without one the answer is shown
 */
export function code(call, options) {
  const curl = curlOf(call, options);
  const python = pythonOf(call, options);
  return fold("code", t("code.title"), html`${block("curl", "curl", curl)} ${block("python", "Python", python)}`);
}

/**
 * Code with a button that copies it.
 * @param {string} name unique on the page
 * @param {string} title
 * @param {string} text
 * @param {string} [copyText] what the button says
 */
export function block(name, title, text, copyText = t("code.copy", { language: title })) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return announce(t("code.not-copied"));
    }
    copied = name;
    announce(t("code.copied"));
    setTimeout(() => {
      copied = "";
      redraw();
    }, COPIED_MS);
    redraw();
  };
  return html`<div class="code-block">
    <p class="code-title">${title}
      ${
        navigator.clipboard
          ? html`<button type="button" class="plain" @click=${copy} aria-label=${copyText}>
            ${copied === name ? t("code.copied") : copyText}</button>`
          : nothing
      }</p>
    <pre tabindex="0" aria-label=${title}>${text}</pre>
  </div>`;
}

/**
 * @param {Call} call
 * @param {{file?: string, download?: string, save?: string}} options
 */
function curlOf(call, { file = "photo.jpg", download, save }) {
  const words = ["curl"];
  if (apiKey()) words.push("-H", "X-API-Key: YOUR-KEY");
  if (call.image) {
    for (const [name, value] of givenOptions(call.options)) words.push("--form-string", `${name}=${value}`);
    // curl reads commas and semicolons in the name of a file, unless it is quoted.
    const quotedFile = /[,;"\\]/.test(file) ? `"${file.replace(/["\\]/g, "\\$&")}"` : file;
    words.push("-F", `image=@${quotedFile}`);
  }
  if (save) words.push("-o", save);
  words.push(urlOf(call).href);
  const first = download ? `curl -o ${quoted(file)} ${quoted(new URL(download, BASE).href)}\n` : "";
  return first + words.map(quoted).join(" ");
}

/**
 * @param {Call} call
 * @param {{file?: string, download?: string, save?: string}} options
 */
function pythonOf(call, { file = "photo.jpg", download, save }) {
  const options = Object.fromEntries(givenOptions(call.options));
  const url = new URL(call.path, BASE).href;
  const given = Object.keys(options).length ? `${call.image ? "data" : "params"}=${JSON.stringify(options)}` : "";
  const parts = [JSON.stringify(url)];
  if (given) parts.push(given);
  if (call.image) parts.push(`files={"image": Path(${JSON.stringify(file)}).read_bytes()}`);
  if (apiKey()) parts.push('headers={"X-API-Key": "YOUR-KEY"}');
  parts.push("timeout=120");
  const lines = ["from pathlib import Path", "", "import httpx", ""];
  if (download)
    lines.push(
      `Path(${JSON.stringify(file)}).write_bytes(httpx.get(${JSON.stringify(new URL(download, BASE).href)}).content)`,
    );
  lines.push(`response = httpx.${call.image ? "post" : "get"}(`, ...parts.map((part) => `    ${part},`), ")");
  lines.push("response.raise_for_status()");
  lines.push(save ? `Path(${JSON.stringify(save)}).write_bytes(response.content)` : "print(response.json())");
  return lines.join("\n");
}

/**
 * A word as a POSIX shell reads it.
 * @param {string} word
 */
export function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
