// What the stateless forward functions do before their kernels run and after that, at once or asynchronously.
import { checkForward, workspaceOf } from "../arguments/forward.js";
import {
  AFFINE_OPTIONS,
  LAYOUT_OPTIONS,
  checkCount,
  checkParameters,
  readStateless,
  type StatelessCall,
} from "../arguments/stateless.js";
import { checkData, checkVariances } from "../base/check.js";
import { allocateOutput } from "../base/outputs.js";
import { floatTypeOf, type Data, type DType, type Floats } from "../base/types.js";
import type { Forward, ForwardArrays } from "../engine/forward.js";
import {
  batchStatistics,
  givenMoments,
  runningStatistics,
  type Batch,
  type StatisticsSource,
} from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import { copyMoments, readMoments } from "../kernels/moments.js";
import type { CheckedActivation } from "../values/activation.js";
import type { Tables } from "../values/aliases.js";
import { asGiven } from "../values/plan.js";
import { readActivation } from "../values/read-activation.js";
import { WEIGHTS, weightsOf } from "../values/weights.js";

interface AffineCall extends StatelessCall {
  readonly activation: CheckedActivation;
}

/** A forward that was checked. */
export interface PreparedForward {
  readonly call: AffineCall;
  readonly arrays: ForwardArrays;
  readonly source: StatisticsSource;
}

/** Makes the output of a call that names none. */
type Own = (dtype: DType, size: number) => Data;

/** Reads a call. The getters of the activation run here too, before any array is checked. */
function readAffine(args: readonly unknown[], more: readonly string[]): AffineCall {
  const call = readStateless(args, [...AFFINE_OPTIONS, ...more]);
  return { ...call, activation: readActivation("activation", call.options.activation) };
}

/** Checks a call. `statistics` are the arrays that it normalizes with. */
function checkStateless(
  call: AffineCall,
  saves: boolean,
  statistics: Record<string, Floats>,
  make: Own,
): ForwardArrays {
  const { plan, activation } = call;
  const { parameters, conditional } = checkParameters(call);
  const own = (): Data => make(plan.dtype, plan.size);
  const { weight, bias } = parameters;
  const tables = (): Tables => ({ weight, bias, ...statistics });
  return checkForward(plan, call, { activation, parameters, conditional, saves, tables, own });
}

/** Checks a forward with the statistics of the batch, or with given moments. */
export function prepareTraining(
  args: readonly unknown[],
  more: readonly string[] = [],
  own: Own = allocateOutput,
): PreparedForward {
  const call = readAffine(args, ["moments", ...more]);
  const { moments: option } = call.options;
  const given = option === undefined ? null : readMoments("moments", option, call.plan.channels);
  const tables: Record<string, Floats> = given ? { "moments.mean": given.mean, "moments.m2": given.m2 } : {};
  const arrays = checkStateless(call, true, tables, own);
  const source = given ? givenMoments(checkCount(given, call.plan, arrays.weights)) : batchStatistics;
  return { call, arrays, source };
}

/** The result of such a forward. `y` is the output as the caller gets it. */
export function trainingResult({ call }: PreparedForward, { moments, saved }: Forward, y: Data): unknown {
  const own = call.plan.size === 0 ? moments! : copyMoments(moments!);
  return { output: asGiven(call.x, y), saved, moments: own };
}

/** Checks a forward with a given mean and variance. */
export function prepareInference(
  args: readonly unknown[],
  more: readonly string[] = [],
  own: Own = allocateOutput,
): PreparedForward {
  const call = readAffine(args, ["runningMean", "runningVar", ...more]);
  const { plan, options } = call;
  const type = floatTypeOf(plan.dtype);
  const mean = checkData("runningMean", options.runningMean, type, plan.channels);
  const variance = checkVariances("runningVar", checkData("runningVar", options.runningVar, type, plan.channels));
  const arrays = checkStateless(call, false, { runningMean: mean, runningVar: variance }, own);
  return { call, arrays, source: runningStatistics({ mean, variance }) };
}

/** Checks a call that computes moments alone. */
export function prepareMoments(
  args: readonly unknown[],
  more: readonly string[] = [],
): { readonly call: StatelessCall; readonly batch: Batch } {
  const call = readStateless(args, [...LAYOUT_OPTIONS, ...WEIGHTS, ...more]);
  const { plan } = call;
  const x = checkData("x", call.x.data, plan.dtype, plan.size);
  return { call, batch: { plan, x, weights: weightsOf(plan, call.weights) } };
}

export function workspaceFor({ plan, resources }: StatelessCall, { weights }: Pick<Batch, "weights">): Workspace {
  return workspaceOf(plan.dtype, plan, weights !== null, resources);
}
