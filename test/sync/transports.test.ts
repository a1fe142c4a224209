// The transports, with real threads and processes: the bits of one process, subsets of ranks, arrays longer than a board.
import { describe, expect, test } from "vitest";
import { isExhaustive } from "../support/sample.js";
import { startProcesses, startWorkers, type Started } from "../support/sync/launch.js";
import type { Job } from "../support/sync/rank.js";
import { textsOf, wholeOf, type Results } from "../support/sync/whole-and-parts.js";
import { CASES } from "./cases.js";

const TRANSPORTS: [string, boolean, (size: number, job: Job) => Promise<Started>][] = [
  ["threads that block", true, (size, job) => startWorkers(size, job)],
  ["threads that do not block", false, (size, job) => startWorkers(size, job)],
  ["threads with boards of 7 numbers", true, (size, job) => startWorkers(size, job, true, 7)],
  ["processes", false, (size, job) => startProcesses(size, job)],
];

const NAMES = [
  "planes of several runs in a block",
  "weights of positions in short runs",
  "PReLU of short runs, and a residual",
];
const SIZES = isExhaustive ? [1, 2, 3, 4, 7] : [2, 3];

async function answersOf(started: Started): Promise<unknown[]> {
  try {
    return await Promise.all(started.answers);
  } finally {
    await started.end();
  }
}

describe.each(TRANSPORTS)("%s", (_, blocks, start) => {
  test.each(NAMES.flatMap((name) => SIZES.map((size) => [name, size] as const)))(
    "%s over %s ranks",
    async (name, size) => {
      const one = CASES.find((other) => other.name === name)!;
      const samples = one.shape[0]!;
      // The last but one has nothing, where there are more than two.
      const units = Math.floor(samples / one.unit);
      const ends = Array.from({ length: size }, (_, i) =>
        i === size - 1 ? samples : one.unit * Math.min(units, i + 1),
      );
      if (size > 2) ends[size - 2] = ends[size - 3]!;
      const ranks = (await answersOf(await start(size, { kind: "case", name, seed: 7, ends, blocks }))) as Results[];
      const options = { ...one.options, backend: "oracle" as const };
      const [got, wanted] = [textsOf(ranks), textsOf([wholeOf({ ...one, options }, 7)])];
      for (const [what, text] of Object.entries(wanted)) expect(got[what] === text, what).toBe(true);
    },
  );

  test("subsets of the ranks, in their order", async () => {
    const answers = await answersOf(await start(4, { kind: "subsets", blocks }));
    const of = (...ranks: number[]): number[] => ranks.flatMap((rank, i) => Array<number>(5 * (i + 1)).fill(rank));
    const whole = of(0, 1, 2, 3);
    const [even, odd, turned] = [of(0, 2), of(1, 3), of(3, 2, 1)];
    expect(answers).toEqual([
      [
        [0, 4, ...whole],
        [0, 2, ...even],
        [0, 2, ...even],
      ],
      [
        [1, 4, ...whole],
        [0, 2, ...odd],
        [2, 3, ...turned],
      ],
      [
        [2, 4, ...whole],
        [1, 2, ...even],
        [1, 3, ...turned],
        [1, 2, ...even],
      ],
      [
        [3, 4, ...whole],
        [1, 2, ...odd],
        [0, 3, ...turned],
      ],
    ]);
  });
});
