// A synchronized layer on ranks that are all in this thread, compared with the oracle's plain layer on the whole batch.
import type { BackendName, BatchNorm } from "../../../src/index.js";
import { convertSyncBatchNorm } from "../../../src/sync.js";
import { floatTypeOf, type Data, type DType } from "../../../src/base/types.js";
import { fakeGroups } from "../../support/sync/fake-group.js";
import { rangesOf } from "../../support/sync/whole-and-parts.js";
import { backwardOptions, dtypeOfResult, forwardOptions, layerOf } from "../call-arguments.js";
import { firstDifferenceOf } from "../compare.js";
import { Play, type Entry, type Loose, type Options } from "../recorder.js";
import type { Track } from "./case.js";
import { backwardTensors, forwardTensors } from "./inputs.js";
import { plainMemory } from "./memory.js";

type Range = readonly [begin: number, end: number];
/** A layer, and whether its calls are asynchronous. */
type Layer = readonly [layer: BatchNorm<DType>, isAsync: boolean];

/** Options whose first axis is that of the samples. */
const OF_SAMPLES = ["mask", "sampleWeights", "residual", "out", "residualOut", "weight", "bias"];

/** The samples of a range, of what all `samples` have. */
function partOf<T>(whole: T, samples: number, range: Range): T {
  const isList = Array.isArray(whole);
  if (!isList && !ArrayBuffer.isView(whole)) return whole;
  const all = whole as unknown as Uint8Array;
  const [begin, end] = range.map((sample) => (all.length / samples) * sample) as [number, number];
  return (isList ? all.slice(begin, end) : all.subarray(begin, end)) as T;
}

const partOfOptions = (options: Options, samples: number, range: Range): Options =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name,
      OF_SAMPLES.includes(name) ? partOf(value, samples, range) : value,
    ]),
  );

/** Arrays and options of a step, of the whole batch. Ranks write to parts of these. */
function stepsOf(play: Play): { x: Data; dy: Data; forward: Options; backward: Options }[] {
  const { one } = play;
  return Array.from({ length: Math.min(2, one.steps) }, (_, step) => {
    const tensors = backwardTensors(play, forwardTensors(play, step));
    const forward = { ...forwardOptions(play, tensors), ...one.asked };
    return { x: tensors.x, dy: tensors.dy, forward, backward: backwardOptions(play, tensors, null) };
  });
}
type Steps = ReturnType<typeof stepsOf>;

/** As `attempt` does it. */
async function attemptLater(play: Play, name: string, call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return play.attempt(name, () => {
      throw error;
    });
  }
}

/** All steps of a layer with its part of the samples. */
async function playPart(play: Play, [layer, isAsync]: Layer, steps: Steps, range: Range): Promise<void> {
  const calls = layer as unknown as Readonly<Record<string, Loose>>;
  const [forwardOf, backwardOf] = isAsync ? ["forwardAsync", "backwardAsync"] : ["forward", "backward"];
  const { one } = play;
  const samples = one.shape[0]!;
  const shape = [range[1] - range[0], ...one.shape.slice(1)];
  for (const [i, { x, dy, forward, backward }] of steps.entries()) {
    const options = partOfOptions(forward, samples, range);
    const y = await attemptLater(play, `forward ${i}`, () =>
      calls[forwardOf]!(partOf(x, samples, range), shape, options),
    );
    play.keep(`output ${i}`, y);
    if (y === null || !layer.saved) continue;
    if (one.asked.updateRunningStats === "later") play.attempt("commit", () => layer.commit(layer.saved!));
    const own = partOfOptions(backward, samples, range);
    const grads = await attemptLater(play, `backward ${i}`, () => calls[backwardOf]!(partOf(dy, samples, range), own));
    if (grads) play.keepAll(`backward ${i}`, grads, dtypeOfResult(one));
  }
  const type = floatTypeOf(one.dtype);
  play.keep("running mean", layer.runningMean, type);
  play.keep("running variance", layer.runningVar, type);
  play.keep("batches tracked", layer.numBatchesTracked, "float64");
}

/** The oracle's plain layer with the whole batch. */
async function playWhole({ one }: Track): Promise<readonly Entry[]> {
  const play = new Play(one, "oracle", plainMemory);
  const layer = play.attempt("new BatchNorm", () => layerOf({ ...one, reuse: false }, "oracle"));
  if (layer) await playPart(play, [layer, false], stepsOf(play), [0, one.shape[0]!]);
  return play.entries;
}

/** What each rank has. Nothing where the oracle refuses a call: what is wrong may be in the part of one rank, and others wait. */
export async function playRanks(track: Track, backend: BackendName): Promise<Entry[][]> {
  const { one, ends } = track;
  if ((await playWhole(track)).some(isError)) return [];
  const groups = fakeGroups(ends.length);
  const steps = stepsOf(new Play(one, backend, plainMemory));
  const ofRank = async (range: Range, rank: number): Promise<Entry[]> => {
    const play = new Play(one, backend, plainMemory);
    const how = { parameterGrads: "global", timeout: 20_000 } as const;
    const make = (): BatchNorm<DType> => convertSyncBatchNorm(layerOf(one, backend), groups[rank]!, how);
    const layer = play.attempt("new BatchNorm", make);
    if (!layer) return play.entries;
    await playPart(play, [layer, true], steps, range);
    return play.entries;
  };
  return Promise.all(rangesOf(ends).map(ofRank));
}

/** The arrays of all ranks after one another. */
function joined(parts: readonly Data[]): Data {
  const bytes = parts.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength));
  const { buffer } = Uint8Array.from(Buffer.concat(bytes));
  return new (parts[0]!.constructor as new (buffer: ArrayBufferLike) => Data)(buffer);
}

const isOfSamples = (name: string): boolean => /^output|: grad(Input|Residual)$/.test(name);
const isError = ({ value }: Entry): boolean => typeof value === "string";

/** How the ranks differ from a plain layer of the oracle. */
export async function compareRanks(track: Track, ranks: readonly (readonly Entry[])[]): Promise<string[]> {
  if (ranks.length === 0) return [];
  const { one } = track;
  const whole = await playWhole(track);
  // With γ or β of each sample, these gradients are of the rank's own samples.
  const isShared = ({ name }: Entry): boolean =>
    one.conditional.length === 0 || !/: grad(Weight|Bias|Slope)$/.test(name);
  return ranks.flatMap((entries, rank) => {
    const got = entries.map((entry, i) => {
      const all = ranks.map((other) => other[i]?.value ?? "");
      const isWhole = isOfSamples(entry.name) && all.every((value) => typeof value !== "string");
      return isWhole ? { ...entry, value: joined(all) } : entry;
    });
    const difference = firstDifferenceOf(whole.filter(isShared), got.filter(isShared));
    return difference === null ? [] : [`rank ${rank}: ${difference}`];
  });
}
