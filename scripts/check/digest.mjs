// node scripts/check/digest.mjs [--write]: the digest of the oracle on all cases, printed, or written to
// src/verify/expected.ts, a module: plain JSON needs import attributes, which not every runtime and bundler knows.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "prettier";
import { compilePlain, repository } from "./plain.mjs";

const moduleOf = (digest) => `// The oracle's digest, made by scripts/check/digest.mjs.
import type { DigestFile } from "./digest.js";

export const expected: DigestFile = ${digest.trim()};
`;

const program = join(compilePlain("plain"), "test", "plain", "write-digest.js");
const { status, stdout } = spawnSync(process.execPath, [program], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (status !== 0) throw new Error(`${program} failed`);
if (process.argv.includes("--write")) {
  const text = await format(moduleOf(stdout), { parser: "typescript", printWidth: 120 });
  writeFileSync(join(repository, "src", "verify", "expected.ts"), text);
} else process.stdout.write(stdout);
