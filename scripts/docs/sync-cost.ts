// What a step of synchronized ResNet-50 sends, by formula and counted; and what a cut beside the groups changes.
import { BatchNorm, batchNormMoments, mergeMoments } from "../../src/index.js";
import { SyncBatchNorm } from "../../src/sync.js";
import { groupsOf } from "../../src/kernels/control.js";
import { HEADER } from "../../src/sync/protocol.js";
import { random } from "../../src/verify/data.js";
import { LAYERS } from "../../bench/peers/resnet50.js";
import { fakeGroups, type Traffic } from "../../test/support/sync/fake-group.js";

/** What a rank sends: gathers that it takes part in, and bytes of its own arrays. */
export interface Sent {
  readonly gathers: number;
  readonly bytes: number;
}

/**
 * A call is two gathers: of headers, and of payloads. With k columns in each of C channels, a group of moments is
 * 2 + k + 2·k·C numbers, and one of sums 1 + 2·k·C.
 */
export function bytesOfStep(samples: number, exact: boolean): Sent {
  let [gathers, numbers] = [0, 0];
  for (const { shape, count } of LAYERS) {
    const [, channels, height, width] = shape as readonly [number, number, number, number];
    const extent = { outer: samples, channels, inner: height * width };
    const groups = exact ? [...groupsOf(extent)].length : 1;
    gathers += 4 * count;
    numbers += count * (2 * HEADER + groups * (3 + 2 * channels) + groups * (1 + 2 * channels));
  }
  return { gathers, bytes: 8 * numbers };
}

function valuesOf(length: number, seed: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}

/** The same, counted on two ranks. */
export async function countedStep(samples: number, exact: boolean): Promise<Sent> {
  const traffic: Traffic = { gathers: 0, numbers: 0 };
  const groups = fakeGroups(2, traffic);
  for (const { shape, count } of LAYERS) {
    const own = [samples, ...shape.slice(1)];
    const x = valuesOf(
      own.reduce((a, b) => a * b),
      1,
    );
    const before = { ...traffic };
    await Promise.all(
      groups.map(async (group) => {
        const layer = new SyncBatchNorm(shape[1], { group, exact });
        await layer.forwardAsync(x, own);
        await layer.backwardAsync(x);
      }),
    );
    // The layers of one shape send alike.
    traffic.gathers += (count - 1) * (traffic.gathers - before.gathers);
    traffic.numbers += (count - 1) * (traffic.numbers - before.numbers);
  }
  return { gathers: traffic.gathers, bytes: 8 * traffic.numbers };
}

/** A batch over ranks with equal parts, beside one process: which outputs differ, and how much anything does. */
export async function differencesOfCut(
  shape: readonly number[],
  ranks: number,
): Promise<{ changed: number; largest: number; variance: number }> {
  const [samples = 0, channels = 1] = shape;
  const x = valuesOf(
    shape.reduce((a, b) => a * b),
    7,
  );
  const whole = new BatchNorm(channels).forward(x, shape);
  const size = x.length / ranks;
  const own = [samples / ranks, ...shape.slice(1)];
  const parts = Array.from({ length: ranks }, (_, rank) => x.subarray(rank * size, (rank + 1) * size));
  const outputs = await Promise.all(
    fakeGroups(ranks).map((group, rank) => new SyncBatchNorm(channels, { group }).forwardAsync(parts[rank]!, own)),
  );
  let [changed, largest] = [0, 0];
  outputs.forEach((output, rank) =>
    output.forEach((value, i) => {
      const difference = Math.abs(value - whole[rank * size + i]!);
      if (difference > 0) changed++;
      largest = Math.max(largest, difference);
    }),
  );
  const merged = parts.map((part) => batchNormMoments(part, own)).reduce((a, b) => mergeMoments(a, b));
  const { m2 } = batchNormMoments(x, shape);
  const variance = m2.reduce((most, value, c) => Math.max(most, Math.abs(merged.m2[c]! / value - 1)), 0);
  return { changed: changed / x.length, largest, variance };
}
