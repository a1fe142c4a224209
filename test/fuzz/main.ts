// npm run fuzz: cases from consecutive seeds, on every backend and instruction set beside the oracle. The work is done by
// a process of its own, so that a crash has its seed too.
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LINES, again, main, type Options } from "./options.js";

const HELP = `Draws calls of the library from seeds, and compares every backend with plain JavaScript, bit for bit.

Usage: npm run fuzz -- [options]

${LINES}
Each case has the seed after that of the case before it. A failure prints its seed, and the command that begins with that
case. What asynchronous calls are given depends on the seed alone. When their threads run does not, so such a failure
may need several runs.
`;

/** Node's status of a process that waits for nothing any more. */
const UNSETTLED = 13;

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

async function run({ seconds, seed, async: share }: Options): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "batchnorm-fuzz-"));
  const path = join(folder, "seed");
  const file = openSync(path, "w+");
  try {
    const end = await ended([seconds, seed, share].map(String), file);
    if (typeof end === "number" && end !== UNSETTLED) return end;
    const last = readFileSync(path, "utf8").trim();
    const how = end === UNSETTLED ? "ended with a promise that nothing settles" : `ended by ${end}`;
    console.log(`${how} in the case of seed ${last}: ${again(Number(last), share)}\n0 passed, 1 failed`);
    return 1;
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}

await main(HELP, run);
