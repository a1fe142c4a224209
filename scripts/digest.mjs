// node scripts/digest.mjs [--write]: the digest of the oracle on all cases, printed, or written to test/digest.json.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compilePlain, repository } from "./plain.mjs";

const program = join(compilePlain("plain"), "test", "plain", "write-digest.js");
const { status, stdout } = spawnSync(process.execPath, [program], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "inherit"],
});
if (status !== 0) throw new Error(`${program} failed`);
if (process.argv.includes("--write")) writeFileSync(join(repository, "test", "digest.json"), stdout);
else process.stdout.write(stdout);
