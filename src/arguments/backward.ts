// The arguments of the backward calls. All are read first, then they are checked, then the outputs are chosen.
import { addTo, checkEarlier, checkSeparate, readEarlier } from "./accumulate.js";
import { checkOperand } from "./forward.js";
import { checkOptionalData } from "../base/check.js";
import { backward, type BackwardArrays, type ParameterGrads } from "../engine/backward.js";
import type { Workspace } from "../engine/workspace.js";
import { gradsTogether } from "../policies/apart-axes.js";
import { backwardOfSamples, isConditional } from "../policies/conditional.js";
import { backwardOfVirtualBatches } from "../policies/virtual-batches.js";
import { rangeError } from "../base/errors.js";
import { neededOf, readNeed, type Need, type Needed } from "../values/need.js";
import { checkAlias, checkApart, type Tables } from "../values/aliases.js";
import { asGiven, readOperand, type Operand } from "../values/plan.js";
import { slopesOf } from "../values/activation.js";
import { readSaved, sizeOf, type Saved } from "../values/saved.js";
import { allocateOutput } from "../base/outputs.js";
import type { ArrayOf, Data, DType, ParametersOf } from "../base/types.js";

/** The options of one backward. */
export interface BackwardOptions<D extends DType, Input extends boolean = true> {
  /**
   * The array that receives `gradInput`. It may be gradOutput itself or the saved x itself. Any other shared memory
   * throws `ERR_BATCHNORM_ALIAS`. By default `gradInput` is a new array.
   */
  out?: ArrayOf<D> | undefined;
  /**
   * The array that receives `gradResidual`. It must not share memory with gradOutput, x, the residual or `out`. Without
   * a residual in the forward it throws `ERR_BATCHNORM_OPTION`.
   */
  residualOut?: ArrayOf<D> | undefined;
  /**
   * The result of an earlier backward. The new parameter gradients are added to its arrays, and these arrays are
   * returned. A gradient that is not needed leaves its array as it is.
   */
  accumulate?:
    | {
        /** The earlier gradient with respect to `weight`, as long as the new one. With null the result is new. */
        readonly gradWeight: ParametersOf<D> | null;
        /** The earlier gradient with respect to `bias`, as long as the new one. With null the result is new. */
        readonly gradBias: ParametersOf<D> | null;
        /** The earlier gradient with respect to the slopes of a PReLU. Without it, the result is new. */
        readonly gradSlope?: ParametersOf<D> | null | undefined;
      }
    | undefined;
  /** The gradients to compute. By default all of them are computed. */
  need?: Need<Input> | undefined;
}

/** The result of a backward. A gradient is null if it is not needed, or if the forward had no such parameter. */
export interface Gradients<D extends DType, Output = ArrayOf<D>, Input extends boolean = true> {
  /** The gradient with respect to x, in the shape of x. */
  readonly gradInput: Input extends true ? Output : null;
  /** The gradient with respect to γ: one element per channel, or per sample and channel if γ was given so. */
  readonly gradWeight: ParametersOf<D> | null;
  /** The gradient with respect to β: one element per channel, or per sample and channel if β was given so. */
  readonly gradBias: ParametersOf<D> | null;
  /**
   * The gradient with respect to the slopes of a PReLU, as many elements as there were slopes. It is absent with every
   * other activation.
   */
  readonly gradSlope?: ParametersOf<D>;
  /** The gradient with respect to the residual, in the shape of x. It is absent without a residual. */
  readonly gradResidual?: Output;
}

/** The checked arguments of a backward. */
export interface BackwardCall extends GradCall {
  readonly needed: Needed;
  readonly arrays: BackwardArrays;
  /** Earlier gradients, to which the parameter gradients are added. */
  readonly earlier: ParameterGrads;
}

/** The gradient of an output and the token of its forward. */
export interface GradCall {
  readonly operand: Operand;
  readonly saved: Saved;
  readonly dy: Data;
}

/** What a token must fit. */
interface Expected {
  readonly dtype: DType | null;
  readonly channels: number | null;
  /** Whether a token that a backward has used is accepted. */
  readonly again: boolean;
  /** Whether the token of a part of a batch is accepted. */
  readonly ofPart: boolean;
}

/** Any token that has not been used. */
const UNUSED: Expected = { dtype: null, channels: null, again: false, ofPart: false };

export function readGrad(gradOutput: unknown, token: unknown, expected = UNUSED, isBackward = false): GradCall {
  const operand = readOperand("gradOutput", gradOutput);
  const saved = readSaved(token, expected.again);
  const { dtype, shape, channels } = saved;
  if (!isBackward) checkUncut(saved);
  if (expected.dtype && dtype !== expected.dtype)
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a ${expected.dtype} forward, got ${dtype}`);
  if (expected.channels !== null && channels !== expected.channels)
    throw rangeError("ERR_BATCHNORM_SHAPE", `"saved" expected ${expected.channels} channels, got ${channels}`);
  return { operand, saved, dy: checkOperand("gradOutput", operand, { dtype, size: sizeOf(saved), shape }) };
}

/** Rejects the token of virtual batches, which have statistics of their own. */
export function checkUncut({ virtualBatches }: Saved): void {
  if (virtualBatches === null) return;
  const message = `"saved" expected a forward without "virtualBatchSize": only a backward takes virtual batches`;
  throw rangeError("ERR_BATCHNORM_SAVED", message);
}

/** Rejects the token of a part of a batch, whose own sums are not enough. */
export function checkWhole(what: string, { isPart, count }: Saved): void {
  if (!isPart) return;
  throw rangeError(
    "ERR_BATCHNORM_SAVED",
    `"saved" is of one part of a batch of ${count} values per channel, and ${what} needs those of all parts: ` +
      `for gradInput, add the sums of batchNormGradSums, then call batchNormGradCoefficients and batchNormGradInput`,
  );
}

/** Makes gradInput if the call names no array for it. */
type Own<Dx> = (dtype: DType, size: number) => Dx;

/** Chooses and checks the outputs of a backward. */
export function backwardArrays<Dx extends Data | null>(
  { saved, dy }: GradCall,
  options: Record<string, unknown>,
  own: Own<Dx>,
  residual = saved.hasResidual,
): BackwardArrays<Data | Dx> {
  const { dx, residualOut } = backwardOutputs(saved, dy, options, own);
  return { dy, dx, dresidual: residualOut ?? (residual ? allocateOutput(saved.dtype, sizeOf(saved)) : null) };
}

/** Reads all arguments first, so that no getter of the caller runs between the checks and the kernels. */
export function readBackward(
  gradOutput: unknown,
  token: unknown,
  options: Record<string, unknown>,
  own: Own<Data>,
  expected = UNUSED,
): BackwardCall {
  const given = readEarlier(options.accumulate);
  const need = readNeed(options);
  const call = readGrad(gradOutput, token, expected, true);
  if (!expected.ofPart) checkWhole("this backward", call.saved);
  const needed = neededOf(call.saved, need);
  const earlier = checkEarlier(given, call.saved, needed);
  const arrays = backwardArrays<Data | null>(call, options, needed.input ? own : () => null, needed.residual);
  checkSeparate(earlier, arrays);
  const { operand, saved, dy } = call; // a spread takes a microsecond here
  return { operand, saved, dy, needed, arrays, earlier };
}

/** Computes the gradients of a call. `workspaceFor` is asked for what runs a token's. */
export function gradientsOf(call: BackwardCall, workspaceFor: (token: Saved) => Workspace): ParameterGrads {
  const { saved, arrays } = call;
  if (!saved.apartAxes) return gradientsOfTogether(call, arrays, workspaceFor);
  return gradsTogether(saved, arrays, (own) => gradientsOfTogether(call, own, workspaceFor));
}

function gradientsOfTogether(
  { saved, needed }: BackwardCall,
  arrays: BackwardArrays,
  workspaceFor: (token: Saved) => Workspace,
): ParameterGrads {
  const { virtualBatches } = saved;
  if (virtualBatches) return backwardOfVirtualBatches(saved, virtualBatches, arrays, needed, workspaceFor);
  if (isConditional(saved)) return backwardOfSamples(() => workspaceFor(saved), saved, arrays, needed);
  return backward(workspaceFor(saved), saved, arrays, needed);
}

/** The result in the form of gradOutput. If it was asked for, the parameter gradients are added to earlier ones. */
export function resultOf({ operand, arrays, earlier }: BackwardCall, grads: ParameterGrads): unknown {
  const { gradInput, gradResidual } = inputGradsOf(operand, arrays);
  const { gradWeight, gradBias, gradSlope } = addTo(earlier, grads);
  const result = { gradInput, gradWeight, gradBias };
  if (!gradSlope && gradResidual === undefined) return result;
  return { ...result, ...(gradSlope && { gradSlope }), ...(gradResidual !== undefined && { gradResidual }) };
}

/** The gradients of the forward's operands, in the form of gradOutput. */
export function inputGradsOf(
  operand: Operand,
  { dx, dresidual }: BackwardArrays,
): { gradInput: unknown; gradResidual?: unknown } {
  const gradInput = dx && asGiven(operand, dx);
  return dresidual ? { gradInput, gradResidual: asGiven(operand, dresidual) } : { gradInput };
}

/** What a token has for each channel, and its weights. A backward reads them after it has begun to write. */
function tablesOf({ sampleWeights, mean, invStd, weight, bias, activation }: Saved): Tables {
  return { sampleWeights, mean, invStd, weight, bias, "activation.slope": slopesOf(activation) };
}

/** γ and β of each sample. */
function sampleTablesOf({ conditional }: Saved): Tables {
  return conditional ? { weight: conditional.weight, bias: conditional.bias } : {};
}

function checkApartFrom(token: Saved, { out, residualOut }: { out: Data | null; residualOut: Data | null }): void {
  if (residualOut) checkApart("residualOut", residualOut, tablesOf(token), "saved.");
  if (residualOut) checkApart("residualOut", residualOut, sampleTablesOf(token), "saved.conditional.");
  if (out) checkApart("out", out, tablesOf(token), "saved.");
  if (out) checkApart("out", out, sampleTablesOf(token), "saved.conditional.");
}

function backwardOutputs<Dx extends Data | null>(
  saved: Saved,
  dy: Data,
  options: Record<string, unknown>,
  own: Own<Dx>,
): { dx: Data | Dx; residualOut: Data | null } {
  const size = sizeOf(saved);
  if (options.residualOut !== undefined && !saved.hasResidual) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"residualOut" needs a forward with a residual`);
  }
  const residualOut = checkOptionalData("residualOut", options.residualOut, saved.dtype, size);
  const dx = checkOptionalData("out", options.out, saved.dtype, size) ?? own(saved.dtype, size);
  checkOutput("residualOut", residualOut, { saved, dy, exact: "" });
  checkOutput("out", dx, { saved, dy, exact: null });
  // The library's own arrays are never those of a token.
  const given = { out: options.out === undefined ? null : dx, residualOut };
  if (saved.virtualBatches) for (const token of saved.virtualBatches) checkApartFrom(token, given);
  else checkApartFrom(saved, given);
  checkAlias("out", dx, "residualOut", residualOut);
  return { dx, residualOut };
}

/** Checks an output beside what the backward reads. It may take the place of gradOutput or x if `exact` is null. */
function checkOutput(
  name: string,
  output: Data | null,
  { saved, dy, exact }: { saved: Saved; dy: Data; exact: string | null },
): void {
  if (!output) return;
  checkAlias(name, output, "gradOutput", dy, exact);
  checkAlias(name, output, "x", saved.x, exact);
  const other = saved.holdsOutput ? "output" : "residual";
  checkAlias(name, output, other, saved.residualOrOutput, ": the backward still reads it");
}
