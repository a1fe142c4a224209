// npm run fuzz: cases from consecutive seeds, on every backend and instruction set beside the oracle. The work is done by
// a process of its own, so that a crash has its seed too.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LINES, main, type Options } from "./options.js";

const HELP = `Draws calls of the library from seeds, and compares every backend with plain JavaScript, bit for bit.

Usage: npm run fuzz -- [options]

${LINES}
Each case has the seed after that of the case before it. A failure prints its seed: npm run fuzz -- --seed S begins
with that case.
`;

/** The signal or the status that a child process ended with. */
function ended(args: readonly string[], seedFile: number): Promise<number | string> {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", fileURLToPath(new URL("run.ts", import.meta.url)), ...args],
    {
      stdio: ["ignore", "inherit", "inherit", seedFile],
    },
  );
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(signal ?? status ?? 1));
  });
}

async function run({ seconds, seed }: Options): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "batchnorm-fuzz-"));
  const path = join(folder, "seed");
  const file = openSync(path, "w+");
  try {
    const end = await ended([String(seconds), String(seed)], file);
    if (typeof end === "number") return end;
    const last = readFileSync(path, "utf8").trim();
    console.log(
      `ended by ${end} in the case of seed ${last}: npm run fuzz -- --seed ${last} --seconds 1\n0 passed, 1 failed`,
    );
    return 1;
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}

await main(HELP, run);
