// Writes the headers of native/ and assembly/ that repeat src/kernels/layout.ts and operands.ts: npm run generate. They are
// committed, and test/kernels/generated.test.ts fails where they are stale.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assemblyLayout } from "./generate-assembly.js";
import { nativeLayout, nativeOperands } from "./generate-native.js";
import { nativeHashes, selfCheckCases, selfCheckHashes } from "./generate-self-check.js";

/** Every generated file, by its path in the repository. */
export const GENERATED: Readonly<Record<string, () => string>> = {
  "native/common/layout.h": nativeLayout,
  "native/common/operands.h": nativeOperands,
  "assembly/common/layout.ts": assemblyLayout,
  "native/self_check/cases.h": selfCheckCases,
  "src/backends/self-check/hashes.ts": selfCheckHashes,
  "src/backends/self-check/native-hashes.ts": nativeHashes,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, textOf] of Object.entries(GENERATED)) {
    const file = new URL(`../../${path}`, import.meta.url);
    const text = textOf();
    // One that would not change stays, so that the addon is not compiled again.
    if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
    writeFileSync(file, text);
    console.log(path);
  }
}
