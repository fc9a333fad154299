// Copies what the page needs of lit-html from node_modules to files/vendor, and writes files/vendor/versions.json with
// the version, the licence and the SHA-256 of every file there. `make vendor` runs it.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** The modules of each package that the page may import, without the ending. */
const MODULES = {
  "lit-html": [
    "async-directive",
    "directive",
    "directive-helpers",
    "directives/live",
    "directives/ref",
    "directives/repeat",
    "lit-html",
  ],
};
const HERE = dirname(fileURLToPath(import.meta.url));
const VENDOR = join(HERE, "files", "vendor");

/** The text of a file without the comment that names its source map, which is not copied. */
function withoutSourceMap(text) {
  return text.replace(/\n*\/\/# sourceMappingURL=\S+\s*$/, "\n");
}

/** Throws if a script imports anything but copied files: the browser cannot find packages by their names. */
function checkImports(name, text, copied) {
  for (const [, path] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)) {
    if (!path.startsWith(".") || !copied.has(normalize(join(dirname(name), path)))) {
      throw new Error(`${name} imports ${path}, which is not copied: add it to MODULES in app/page/vendor.mjs`);
    }
  }
}

/** Copies one package; returns what versions.json says about it. */
async function copyPackage(name, modules) {
  const from = join(HERE, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(from, "package.json"), "utf8"));
  const scripts = new Set(modules.map((module) => `${module}.js`));
  const files = {};
  for (const file of ["LICENSE", ...modules.flatMap((module) => [`${module}.d.ts`, `${module}.js`])].sort()) {
    const text = withoutSourceMap(await readFile(join(from, file), "utf8"));
    if (scripts.has(file)) checkImports(file, text, scripts);
    await mkdir(dirname(join(VENDOR, name, file)), { recursive: true });
    await writeFile(join(VENDOR, name, file), text);
    files[file] = createHash("sha256").update(text).digest("hex");
  }
  return { version, licence: license, files };
}

await rm(VENDOR, { recursive: true, force: true });
const versions = {};
for (const [name, modules] of Object.entries(MODULES)) versions[name] = await copyPackage(name, modules);
await writeFile(join(VENDOR, "versions.json"), `${JSON.stringify(versions, null, 2)}\n`);
