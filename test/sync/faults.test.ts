// A rank that dies, hangs or does something else: every other rank gets an error with a code in time, which names the rank and
// the call. Nothing hangs, and no running statistics have moved halfway.
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/index.js";
import { SyncBatchNorm } from "../../src/sync.js";
import { random } from "../../src/verify/data.js";
import { isExhaustive, seed } from "../support/sample.js";
import { fakeGroups } from "../support/sync/fake-group.js";
import { startProcesses, startWorkers, type Started } from "../support/sync/launch.js";
import { STEP_SHAPE, partOfStep, type Ended, type Fault, type Job } from "../support/sync/rank.js";

const STEPS = 100_000;
/** Beside the time limit: until a thread is given a core. */
const SLACK = 5_000;

/** The running statistics after each number of steps. */
class Reference {
  readonly #states: string[] = [];
  readonly #layers;
  #steps = 0;

  constructor(size: number) {
    this.#layers = fakeGroups(size).map((group) => new SyncBatchNorm<DType>(4, { group, backend: "oracle" }));
    this.#states.push(this.#text());
  }

  #text(): string {
    const { runningMean, runningVar } = this.#layers[0]!;
    return JSON.stringify([[...runningMean!], [...runningVar!]]);
  }

  async after(steps: number): Promise<string> {
    while (this.#states.length <= steps) {
      const step = this.#steps++;
      const run = (layer: SyncBatchNorm<DType>, rank: number): Promise<unknown> =>
        layer.forwardAsync(partOfStep(step, rank), STEP_SHAPE);
      await Promise.all(this.#layers.map(run));
      this.#states.push(this.#text());
    }
    return this.#states[steps]!;
  }
}

const SIZE = 3;
const reference = new Reference(SIZE);

interface Expected {
  readonly victim: number;
  readonly timeout: number;
  /** Whether the ranks whose fault it is must be the victim alone. */
  readonly names?: boolean;
}

/** What a rank other than the victim must have got. */
async function checkEnded(ended: Ended, { victim, timeout, names = true }: Expected): Promise<void> {
  const { error, tracked, mean, variance, milliseconds, steps } = ended;
  expect(error).toMatchObject({ name: "GroupError", code: "ERR_BATCHNORM_GROUP" });
  expect(error!.message).toMatch(/, in (forward|backward) \(call \d+\)/);
  if (names) expect(error!.ranks, error!.message).toContain(victim);
  expect(milliseconds).toBeLessThan(timeout + SLACK);
  // A forward has moved them once, or not at all.
  expect([steps, steps + 1]).toContain(tracked);
  expect(JSON.stringify([mean, variance])).toBe(await reference.after(tracked));
}

/** Ends a round if something hangs, so that the test says so. */
async function withinLimit(started: Started, ranks: readonly number[], limit: number): Promise<(Ended | null)[]> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`ranks hang after ${limit} ms`)), limit);
  });
  try {
    const answers = ranks.map((rank) => started.answers[rank] as Promise<Ended | null>);
    return await Promise.race([Promise.all(answers), late]);
  } finally {
    clearTimeout(timer!);
    await started.end();
  }
}

const others = (victim: number): number[] =>
  Array.from({ length: SIZE }, (_, rank) => rank).filter((r) => r !== victim);

const jobOf = (fault: Fault, victim: number, at: number, timeout: number, blocks: boolean): Job => ({
  kind: "steps",
  fault,
  victim,
  at,
  steps: STEPS,
  timeout,
  blocks,
});

type Start = (job: Job) => Promise<Started>;
const TRANSPORTS: [string, boolean, Start][] = [
  ["threads that block", true, (job) => startWorkers(SIZE, job)],
  ["threads that do not", false, (job) => startWorkers(SIZE, job)],
  ["threads that nobody watches", true, (job) => startWorkers(SIZE, job, false)],
  ["processes", false, (job) => startProcesses(SIZE, job)],
];

describe.each(TRANSPORTS)("%s", (name, blocks, start) => {
  const faults: Fault[] = ["hang", "exit", "uncaught", "channels", "order", "options", "abort", "close", "length"];
  test.each(faults)("%s", async (fault) => {
    const victim = 1;
    const timeout = 700;
    const started = await start(jobOf(fault, victim, 3, timeout, blocks));
    const ended = await withinLimit(started, others(victim), 60_000);
    for (const one of ended) {
      // Of two lengths, nobody knows which one is wrong.
      await checkEnded(one!, { victim, timeout, names: fault !== "length" });
      expect(one!.steps).toBe(3);
    }
  });

  test("bad argument: the others learn why, and the rank itself throws its own error", async () => {
    const started = await start(jobOf("bad argument", 2, 2, 5000, blocks));
    const [first, second, own] = await withinLimit(started, [0, 1, 2], 60_000);
    for (const one of [first, second]) await checkEnded(one!, { victim: 2, timeout: 1000 });
    expect(first!.error!.message).toBe(
      'rank 2 failed before the gather: "x" expected length 20, got 120, in forward (call 6)',
    );
    expect(own!.error).toMatchObject({ name: "RangeError", code: "ERR_BATCHNORM_SHAPE" });
    expect(name).not.toBe("");
  });
});

/** Rounds in which a rank is killed, or stopped, at a random time. */
const ROUNDS = Number(process.env["BATCHNORM_FAULT_ROUNDS"] ?? (isExhaustive ? 100 : 8));

/** A test has so many of them, since its time is limited. */
const TOGETHER = 50;
const BEGINS = Array.from({ length: Math.ceil(ROUNDS / TOGETHER) }, (_, i) => i * TOGETHER);

test.each(BEGINS)(`a rank is killed at a random time, in rounds %i and after of ${ROUNDS} rounds`, async (begin) => {
  const next = random(seed + begin);
  const pick = (most: number): number => Math.floor(next() * most);
  for (let round = begin; round < Math.min(ROUNDS, begin + TOGETHER); round++) {
    const victim = pick(SIZE);
    // So long that no other rank is late on a machine with much else to do.
    const timeout = 2000;
    const usesProcesses = pick(4) === 0;
    const blocks = !usesProcesses && pick(2) === 0;
    const isWatched = pick(8) > 0;
    const job = jobOf("none", victim, 0, timeout, blocks);
    const started = await (usesProcesses ? startProcesses(SIZE, job) : startWorkers(SIZE, job, isWatched));
    const isStopped = usesProcesses && pick(3) === 0;
    await started.ready;
    setTimeout(() => (isStopped ? started.pause(victim) : started.kill(victim)), pick(30));
    for (const one of await withinLimit(started, others(victim), 60_000)) await checkEnded(one!, { victim, timeout });
  }
});
