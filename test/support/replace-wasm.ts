// The WASM module in a built package, exchanged.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Changes the WASM module, which is base64, in the files of a dist/ that Node loads: for `import` and for `require`. */
export function replaceWasm(dist: string, change: (base64: string) => string): void {
  const files = readdirSync(dist).filter((name) => /^(shared-.*\.js|index\.cjs)$/.test(name));
  const changed = files.filter((name) => {
    const path = join(dist, name);
    const text = readFileSync(path, "utf8");
    const replaced = text.replace(/[A-Za-z0-9+/=]{10000,}/, change);
    if (replaced !== text) writeFileSync(path, replaced);
    return replaced !== text;
  });
  if (changed.length !== 2) throw new Error(`the module is in ${changed.join(", ") || "no file"}, not in two`);
}
