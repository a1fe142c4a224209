// What the programs of this folder share: a rank writes what it found into a file of the folder that it is given.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export const [folder = ".", ...args] = process.argv.slice(2);

export function report(rank: number, result: unknown): void {
  writeFileSync(join(folder, `rank-${rank}.json`), JSON.stringify(result));
}

/** An error as JSON can hold it. */
export function plain(error: unknown): Record<string, unknown> {
  const { name, message, code, ranks, call } = error as Error & Record<string, unknown>;
  return { name, message, code, ranks, call };
}
