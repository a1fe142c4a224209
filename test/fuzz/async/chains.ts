// Chains of calls of the functions without a layer: a forward and its backward. A chain is written once: a backend makes its
// calls asynchronously, and the oracle synchronously.
import {
  batchNormBackward,
  batchNormBackwardAsync,
  batchNormInference,
  batchNormInferenceAsync,
  batchNormMoments,
  batchNormMomentsAsync,
  batchNormTraining,
  batchNormTrainingAsync,
  mergeMoments,
  type Saved,
} from "../../../src/index.js";
import type { Data } from "../../../src/base/types.js";
import {
  backwardOptions,
  dtypeOfResult,
  forwardOptions,
  functionOptions,
  shapeOf,
  weightsOf,
  type Tensors,
} from "../call-arguments.js";
import type { FuzzCase } from "../draw.js";
import type { Loose, Options, Play } from "../recorder.js";
import type { AsyncCall, Track } from "./case.js";
import { backwardTensors, forwardTensors } from "./inputs.js";
import { noteOutputs } from "./memory.js";

/** A call that is to be made. */
export interface Request {
  readonly name: string;
  readonly call: AsyncCall;
  readonly play: Play;
  readonly atOnce: Loose;
  readonly later: Loose;
  readonly args: readonly unknown[];
  readonly options: Options;
  readonly keep: (result: object) => void;
}

/** What a chain gets for a call: its result, null for an error, or this if the call ended early. */
export const ENDED_EARLY = Symbol("ended early");
type Answer = object | null | typeof ENDED_EARLY;
export type Chain = Generator<Request, void, Answer>;
/** Makes what records a call. */
export type Open = (call: AsyncCall) => Play;

function* momentsOf(one: FuzzCase, call: AsyncCall, open: Open, step: number): Generator<Request, Answer, Answer> {
  const play = open(call);
  const { x, given } = forwardTensors(play, step);
  return yield {
    ...{
      name: `moments ${step}`,
      call,
      play,
      atOnce: batchNormMoments as Loose,
      later: batchNormMomentsAsync as Loose,
    },
    args: [x, shapeOf(one)],
    options: { ...one.where, ...play.resources, dtype: one.dtype, ...weightsOf(one, given) },
    keep: (result) => play.keepAll("moments", result, () => "float64"),
  };
}

function backwardRequest(play: Play, call: AsyncCall, tensors: Tensors, saved: Saved, name: string): Request {
  const given = backwardTensors(play, tensors);
  const options: Options = { ...backwardOptions(play, given, null), ...play.resources };
  noteOutputs(options["out"], options["residualOut"]);
  return {
    ...{ name, call, play, atOnce: batchNormBackward as Loose, later: batchNormBackwardAsync as Loose },
    args: [given.dy, saved],
    options,
    keep: (result) => play.keepAll("backward", result, dtypeOfResult(play.one)),
  };
}

function* chainOf(one: FuzzCase, first: AsyncCall, second: AsyncCall, open: Open): Chain {
  const more: Options = {};
  if (one.form === "parts" && !one.fixed) {
    const parts: Answer[] = [];
    for (const step of [0, 1]) parts.push(yield* momentsOf(one, second, open, step));
    const [a, b] = parts;
    if (typeof a !== "object" || typeof b !== "object" || !a || !b) return;
    // Those of data that are NaN are refused.
    const moments = open(first).attempt("merge", () => (mergeMoments as Loose)(a, b));
    if (!moments) return;
    more["moments"] = moments;
  }
  const play = open(first);
  const tensors = forwardTensors(play, first.step);
  const { fixed } = tensors.given;
  const options: Options = { ...functionOptions(play, tensors.given), ...forwardOptions(play, tensors), ...more };
  noteOutputs(options["out"]);
  const result = yield {
    ...{ name: "forward", call: first, play, args: [tensors.x, shapeOf(one)], options },
    atOnce: (fixed ? batchNormInference : batchNormTraining) as Loose,
    later: (fixed ? batchNormInferenceAsync : batchNormTrainingAsync) as Loose,
    keep: (got) => {
      const { output, moments } = got as { output: Data; moments?: object };
      play.keep("output", output);
      if (moments) play.keepAll("moments", moments, () => "float64");
    },
  };
  if (typeof result !== "object" || !result) return;
  const { saved } = result as { saved: Saved | null };
  if (!saved) return;
  const answer = yield backwardRequest(open(second), second, tensors, saved, "backward");
  // One that ended early has not used the token up, unless it was to be written over x.
  const again = { ...second, disturbance: null };
  if (answer === ENDED_EARLY && one.backwardInPlace !== "x")
    yield backwardRequest(open(again), again, tensors, saved, "backward again");
}

export const chainsOf = ({ one, calls }: Track, openOf: (chain: number) => Open): Chain[] =>
  Array.from({ length: calls.length / 2 }, (_, i) => chainOf(one, calls[2 * i]!, calls[2 * i + 1]!, openOf(i)));
