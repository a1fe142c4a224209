// The arguments of the backward calls: read, checked, outputs chosen.
import { addTo, checkEarlier, checkSeparate, readEarlier, type ParameterGrads } from "./accumulate.js";
import { checkOperand } from "./forward.js";
import { checkOptionalData } from "../base/check.js";
import type { BackwardArrays } from "../engine/backward.js";
import { rangeError } from "../base/errors.js";
import { neededOf, readNeed, type Need, type Needed } from "../values/need.js";
import { asGiven, checkAliases, readOperand, type Operand } from "../values/plan.js";
import { readSaved, sizeOf, type Saved } from "../values/saved.js";
import { allocate, type ArrayOf, type Data, type DType, type ParametersOf } from "../base/types.js";

/** Options of one backward. */
export interface BackwardOptions<D extends DType, Input extends boolean = true> {
  /** Receives gradInput. Exactly gradOutput or the saved x is allowed. */
  out?: ArrayOf<D>;
  /** Receives gradResidual, where the forward had a residual. */
  residualOut?: ArrayOf<D>;
  /**
   * Result of an earlier backward: the parameter gradients are added to its arrays, which are returned. An array of
   * one that is not needed is left alone.
   */
  accumulate?: { readonly gradWeight: ParametersOf<D> | null; readonly gradBias: ParametersOf<D> | null };
  /** The gradients to compute; default: all. Those computed have the bits they have among all. */
  need?: Need<Input>;
}

/** The result of a backward. Gradients not needed, and of parameters that the forward did not have, are null. */
export interface Gradients<D extends DType, Output = ArrayOf<D>, Input extends boolean = true> {
  readonly gradInput: Input extends true ? Output : null;
  readonly gradWeight: ParametersOf<D> | null;
  readonly gradBias: ParametersOf<D> | null;
  /** Present where the forward had a residual and its gradient is needed. */
  readonly gradResidual?: Output;
}

/** The arguments of a backward, checked. */
export interface BackwardCall {
  readonly saved: Saved;
  readonly needed: Needed;
  readonly arrays: BackwardArrays;
  /** The result in the form gradOutput came, parameter gradients added to earlier ones where asked. */
  readonly result: (grads: ParameterGrads) => unknown;
}

/** The gradient of an output and the token of its forward. */
export interface GradCall {
  readonly operand: Operand;
  readonly saved: Saved;
  readonly size: number;
  readonly dy: Data;
}

export function readGrad(
  gradOutput: unknown,
  token: unknown,
  { expected, again = false }: { expected?: DType | undefined; again?: boolean } = {},
): GradCall {
  const operand = readOperand("gradOutput", gradOutput);
  const saved = readSaved(token, again);
  const { dtype, shape } = saved;
  if (expected && dtype !== expected)
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a ${expected} forward, got ${dtype}`);
  const size = sizeOf(saved);
  return { operand, saved, size, dy: checkOperand("gradOutput", operand, { dtype, size, shape }) };
}

/** Gives gradInput where the call names no array for it. */
type Own<Dx> = (dtype: DType, size: number) => Dx;

/** Chooses and checks the outputs of a backward. */
export function backwardArrays<Dx extends Data | null>(
  { saved, size, dy }: GradCall,
  options: Record<string, unknown>,
  own: Own<Dx>,
  residual = saved.hasResidual,
): BackwardArrays<Data | Dx> {
  const { dx, residualOut } = backwardOutputs(saved, size, dy, options, own);
  return { dy, dx, dresidual: residualOut ?? (residual ? allocate(saved.dtype, size) : null) };
}

/** Reads everything first, so that no getter runs between the checks and the kernels. */
export function readBackward(
  gradOutput: unknown,
  token: unknown,
  options: Record<string, unknown>,
  own: Own<Data>,
  expected?: DType,
): BackwardCall {
  const earlier = readEarlier(options.accumulate);
  const need = readNeed(options);
  const call = readGrad(gradOutput, token, { expected });
  const { operand, saved } = call;
  const needed = neededOf(saved, need);
  const targets = checkEarlier(earlier, saved, needed);
  const arrays = backwardArrays<Data | null>(call, options, needed.input ? own : () => null, needed.residual);
  checkSeparate(targets, arrays);
  return {
    saved,
    needed,
    arrays,
    result: (grads) => ({ ...addTo(targets, grads), ...inputGrads(operand, arrays) }),
  };
}

/** The gradients of the forward's operands, in the form gradOutput came. */
export function inputGrads(
  operand: Operand,
  { dx, dresidual }: BackwardArrays,
): { gradInput: unknown; gradResidual?: unknown } {
  return { gradInput: dx && asGiven(operand, dx), ...(dresidual && { gradResidual: asGiven(operand, dresidual) }) };
}

function backwardOutputs<Dx extends Data | null>(
  saved: Saved,
  size: number,
  dy: Data,
  options: Record<string, unknown>,
  own: Own<Dx>,
): { dx: Data | Dx; residualOut: Data | null } {
  if (options.residualOut !== undefined && !saved.hasResidual) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"residualOut" needs a forward with a residual`);
  }
  const residualOut = checkOptionalData("residualOut", options.residualOut, saved.dtype, size);
  const dx = checkOptionalData("out", options.out, saved.dtype, size) ?? own(saved.dtype, size);
  const aux = {
    name: saved.auxIsOutput ? "output" : "residual",
    array: saved.aux,
    exact: ": the backward still reads it",
  };
  checkAliases("residualOut", residualOut, [
    { name: "gradOutput", array: dy, exact: "" },
    { name: "x", array: saved.x, exact: "" },
    aux,
  ]);
  checkAliases("out", dx, [
    { name: "gradOutput", array: dy, exact: null },
    { name: "x", array: saved.x, exact: null },
    aux,
    { name: "residualOut", array: residualOut, exact: "" },
  ]);
  return { dx, residualOut };
}
