// Plays a case through the public calls on one backend.
import {
  MicroBatches,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
  type BackendName,
  type Gradients,
  type Saved,
} from "../../src/index.js";
import { floatTypeOf, type Data, type DType } from "../../src/base/types.js";
import {
  backwardOptions,
  dtypeOfResult,
  forwardOptions,
  functionOptions,
  layerOf,
  shapeOf,
  tableOf,
  tensorsOf,
  weightsOf,
  type Tensors,
} from "./call-arguments.js";
import type { FuzzCase } from "./draw.js";
import { Play, type Entry, type Loose, type Options } from "./recorder.js";

function playDoubleBackward(play: Play, saved: Saved, { given, dy }: Tensors, name: string): void {
  const { one } = play;
  if (!one.doubleBackward) return;
  const incoming = { gradGradInput: given.x, gradGradWeight: saved.hasWeight ? tableOf(one, given.weight) : null };
  const call = (): object => (batchNormDoubleBackward as Loose)(saved, dy, incoming, play.resources) as object;
  const result = play.attempt(`${name}, double backward`, call);
  if (result) play.keepAll(`${name}, double backward`, result, dtypeOfResult(one));
}

/** A layer that trains for some steps, or is used with running statistics of its own. */
function playLayer(play: Play): void {
  const { one, backend } = play;
  const layer = play.attempt("new BatchNorm", () => layerOf(one, backend));
  let earlier: Gradients<DType> | null = null;
  for (let step = 0; layer && step < one.steps; step++) {
    const tensors = tensorsOf(play, step);
    const options = { ...forwardOptions(play, tensors), ...one.asked };
    const name = `step ${step}`;
    const y = play.attempt(name, () => (layer.forward as Loose).call(layer, tensors.x, shapeOf(one), options));
    play.keep(`${name}: output`, y);
    if (y === null || !layer.saved) continue;
    const { saved } = layer;
    if (one.asked.updateRunningStats === "later" && step !== 1) play.attempt("commit", () => layer.commit(saved));
    playDoubleBackward(play, saved, tensors, name);
    const given = backwardOptions(play, tensors, earlier);
    const backward = (): unknown => (layer.backward as Loose).call(layer, tensors.dy, given);
    earlier = play.attempt(`${name}, backward`, backward) as Gradients<DType> | null;
    if (earlier) play.keepAll(`${name}, backward`, earlier, dtypeOfResult(one));
    play.keep(`${name}: x`, tensors.x);
    play.keep(`${name}: gradOutput`, tensors.dy);
  }
  const type = floatTypeOf(one.dtype);
  play.keep("running mean", layer?.runningMean, type);
  play.keep("running variance", layer?.runningVar, type);
  play.keep("batches tracked", layer?.numBatchesTracked, "float64");
}

type Result = { readonly output: Data; readonly saved: Saved | null; readonly moments?: object };

function playForward(play: Play, tensors: Tensors, more: Options = {}): Result | null {
  const { one } = play;
  const call = (tensors.given.fixed ? batchNormInference : batchNormTraining) as Loose;
  const options = { ...functionOptions(play, tensors.given), ...forwardOptions(play, tensors), ...more };
  const result = play.attempt("forward", () => call(tensors.x, shapeOf(one), options)) as Result | null;
  play.keep("output", result?.output);
  if (result?.moments) play.keepAll("moments", result.moments, () => "float64");
  return result;
}

function playFunctions(play: Play): void {
  const { one, resources } = play;
  const tensors = tensorsOf(play, 0);
  const result = playForward(play, tensors);
  if (!result?.saved) return;
  playDoubleBackward(play, result.saved, tensors, "functions");
  const options = { ...backwardOptions(play, tensors, null), ...resources };
  const call = (): unknown => (batchNormBackward as Loose)(tensors.dy, result.saved, options);
  const gradients = play.attempt("backward", call);
  if (gradients) play.keepAll("backward", gradients, dtypeOfResult(one));
}

/** As a worker of synchronized training: the moments of two parts, and the backward in three parts. */
function playParts(play: Play): void {
  const { one, resources } = play;
  const tensors = tensorsOf(play, 0);
  const more: Options = {};
  if (!one.fixed) {
    const options = { ...one.where, ...resources, dtype: one.dtype, ...weightsOf(one, tensors.given) };
    const momentsOf = (x: Data): unknown => (batchNormMoments as Loose)(x, shapeOf(one), options);
    const merge = (): object =>
      (mergeMoments as Loose)(momentsOf(tensors.x), momentsOf(tensorsOf(play, 1).x)) as object;
    const moments = play.attempt("moments", merge);
    if (!moments) return;
    more["moments"] = moments;
  }
  const saved = playForward(play, tensors, more)?.saved;
  if (!saved) return;
  const sums = play.attempt("sums", () => (batchNormGradSums as Loose)(tensors.dy, saved, resources) as object);
  if (!sums) return;
  play.keepAll("sums", sums, (key) => (key.startsWith("sum") ? "float64" : floatTypeOf(one.dtype)));
  const applied = (): object => {
    const coefficients = (batchNormGradCoefficients as Loose)(saved, sums);
    return (batchNormGradInput as Loose)(tensors.dy, saved, coefficients, resources) as object;
  };
  const gradients = play.attempt("gradInput", applied);
  if (gradients) play.keepAll("gradInput", gradients, () => one.dtype);
}

/** A batch of two micro-batches, which are read anew each time. */
function playMicroBatches(play: Play): void {
  const { one } = play;
  const layer = play.attempt("new BatchNorm", () => layerOf(one, play.backend));
  if (!layer) return;
  const parts = [tensorsOf(play, 0), tensorsOf(play, 1)] as const;
  const read = (i: number): object => {
    const tensors = parts[i as 0 | 1];
    const { mask, sampleWeights, maskedOutput, residual } = forwardOptions(play, tensors);
    return { x: tensors.x, shape: shapeOf(one), mask, sampleWeights, maskedOutput, residual };
  };
  const batch = play.attempt("new MicroBatches", () => new MicroBatches(layer, 2, read as never));
  play.attempt("forward", () => batch?.forward((output, i) => play.keep(`output ${i}`, output)));
  const keep = (gradients: object, i: number): void => play.keepAll(`gradients ${i}`, gradients, () => one.dtype);
  const gradients = play.attempt("backward", () => batch?.backward((i) => parts[i as 0 | 1].dy, keep));
  if (gradients) play.keepAll("backward", gradients, dtypeOfResult(one));
  play.keep("running variance", layer.runningVar, floatTypeOf(one.dtype));
}

const FORMS = {
  layer: playLayer,
  functions: playFunctions,
  parts: playParts,
  "micro-batches": playMicroBatches,
};

/** All that the case gives on this backend, in order; and whether memory beside its arrays is as it was. */
export function play(one: FuzzCase, backend: BackendName): readonly Entry[] {
  const played = new Play(one, backend);
  FORMS[one.form](played);
  const beside = played.memory.intact() ? "intact" : "written beyond an array";
  return [...played.entries, { name: "memory", dtype: "float64", value: beside }];
}
