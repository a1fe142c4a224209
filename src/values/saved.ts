// The token that a forward leaves for its backward. It is plain data and is checked whenever it comes back. So a token
// from another worker, or a forged one, is as safe as one of our own.
import { partsOf } from "../base/arrays.js";
import {
  bufferOf,
  byteLengthOf,
  byteOffsetOf,
  checkArray,
  checkBoolean,
  checkData,
  checkInRange,
  checkInteger,
  checkSize,
  checkOneOf,
  describe,
  isRecord,
} from "../base/check.js";
import { canBeUndone, showsInOutput, type CheckedActivation } from "./activation.js";
import { checkSlopes, readActivation } from "./read-activation.js";
import { environment } from "../base/environment.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import { checkAlive, markUnused as begin, markUsed as end } from "./lifetime.js";
import { sameMemory } from "./aliases.js";
import { planOf, readShape } from "./plan.js";
import { readSampleTables, type SampleTables } from "./sample-tables.js";
import { DTYPES, type BitsOf, type Data, type DType, type ParametersOf } from "../base/types.js";
import { checkTokenWeights, type MaskedOutput } from "./weights.js";

/** r and d of a batch renormalization. They are constants in the backward. */
export interface RenormTables {
  /** The factor of the normalized values of each channel. */
  readonly r: Float64Array;
  /** What is added to them. */
  readonly d: Float64Array;
}

/**
 * The token of a forward: what its backward needs. Treat it as opaque and pass it on.
 *
 * - It refers to x, or to the output if `save` was `"output"`. With an activation it refers to the residual too. These
 *   arrays must not change before the backward. With `BATCHNORM_DEBUG=1` in the environment, a change is detected.
 * - It serves one backward. A used token is rejected with `ERR_BATCHNORM_SAVED`, and so is a copy of it.
 * - You may keep many tokens of one layer, and run their backwards in any order.
 * - All fields are plain data, so a token can be sent to a worker. A copy by `structuredClone` or by a message has copies
 *   of the data too, and serves one backward of its own if the token was not used before. The tables of a token may share
 *   memory with those of others: transfer no more than the memory of x.
 */
export interface Saved<D extends DType = DType> {
  /** The element type of x. */
  readonly dtype: D;
  /** The shape of x. */
  readonly shape: readonly number[];
  /**
   * The channel axes, if other axes lie between them, or null. Then all data of the token are copies in which the channel
   * axes follow on the first of them.
   */
  readonly apartAxes: readonly number[] | null;
  /** The product of the sizes of the axes before the channels. */
  readonly outer: number;
  /** The number of channels. */
  readonly channels: number;
  /** The product of the sizes of the axes after the channels. */
  readonly inner: number;
  /**
   * The number of values per channel behind the statistics, or the sum of their weights. If the forward was given
   * `moments`, it is their count.
   */
  readonly count: number;
  /**
   * Whether the statistics were given as `moments` that count other values than those of x, so that x is one part of
   * their batch. Then a backward needs the sums of all parts, as `batchNormGradSums` returns them for one.
   */
  readonly isPart: boolean;
  /** Whether the statistics did not depend on x, as in inference and in a frozen layer. Then dx = γ·r·gradOutput. */
  readonly fixedStatistics: boolean;
  /** The activation of the forward. The slopes of a PReLU are a copy, in float64. */
  readonly activation: CheckedActivation;
  /** The mean that the forward normalized with, per channel. */
  readonly mean: Float64Array;
  /** r = 1/√(σ² + ε) per channel. It is 0 where σ² + ε is 0. */
  readonly invStd: Float64Array;
  /** γ at the time of the forward, per channel. It is 1 if there was none. */
  readonly weight: Float64Array;
  /** β at the time of the forward, per channel. It is 0 if there was none. */
  readonly bias: Float64Array;
  /**
   * r and d of a batch renormalization, per channel, or null. Then `weight` is γ·r and `bias` is β + γ·d, and the gradient
   * of γ is r·Σg·x̂ + d·Σg.
   */
  readonly renorm: RenormTables | null;
  /** γ and β of each sample, if they were given so, or null. Then `weight` and `bias` of the token are 1 and 0. */
  readonly conditional: SampleTables | null;
  /**
   * The tokens of the virtual batches, in their order, or null. Then the tables and the count of this token are those of
   * the first.
   */
  readonly virtualBatches: readonly Saved<D>[] | null;
  /** Whether the virtual batches are interleaved. Then all data of the token are copies, in the order of the batches. */
  readonly isInterleaved: boolean;
  /** Whether the forward had a `weight`, so that the backward returns `gradWeight`. */
  readonly hasWeight: boolean;
  /** Whether the forward had a `bias`, so that the backward returns `gradBias`. */
  readonly hasBias: boolean;
  /** Whether the forward had a residual, so that the backward returns `gradResidual`. */
  readonly hasResidual: boolean;
  /** The forward's x, or its output if `xIsOutput` is true. It is the array itself, not a copy. */
  readonly x: BitsOf<D>;
  /** Whether `x` holds the output, from which the backward recovers the normalized values. */
  readonly xIsOutput: boolean;
  /**
   * The array that tells, with an activation and a residual, which outputs were positive. It is the residual, or the
   * output if that was written over the residual. Otherwise it is null.
   */
  readonly residualOrOutput: BitsOf<D> | null;
  /** Whether `residualOrOutput` is the output. */
  readonly holdsOutput: boolean;
  /**
   * The weights of the forward, one per sample or one per position. The mask is multiplied in. It is null if the
   * backward does not depend on weights.
   */
  readonly sampleWeights: ParametersOf<D> | null;
  /** What the output is where the weight is 0. */
  readonly maskedOutput: MaskedOutput;
  /** One byte, which is 0 until a backward has used the token. */
  readonly life: Uint8Array;
  /** If the token refers to memory of layers with `reuse`: a byte for each array, which is 0 until it is overwritten. */
  readonly memory: readonly Uint8Array[] | null;
  /** A checksum of the data, with `BATCHNORM_DEBUG=1` in the environment. Otherwise it is null. */
  readonly checksum: number | null;
}

/** The number of elements of the forward's tensors. */
export function sizeOf({ outer, channels, inner }: Pick<Saved, "outer" | "channels" | "inner">): number {
  return outer * channels * inner;
}

/** The FNV-1a hash of the bits, taken 16 at a time: what all elements are a multiple of, and aligned to. */
function checksumOf(...arrays: readonly (Data | null)[]): number {
  let hash = 0x811c9dc5;
  for (const array of arrays) {
    if (!array) continue;
    const words = new Uint16Array(bufferOf(array), byteOffsetOf(array), byteLengthOf(array) / 2);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  }
  return hash;
}

/** The checksum of a new token's data, with BATCHNORM_DEBUG=1. */
export function debugChecksum(...arrays: readonly (Data | null)[]): number | null {
  return environment("BATCHNORM_DEBUG") === "1" ? checksumOf(...arrays) : null;
}

function checkTableOf(name: string, value: unknown, channels: number): Float64Array {
  return checkData(name, value, "float64", channels) as Float64Array;
}

function readRenormTables(value: unknown, channels: number): RenormTables | null {
  if (value === null) return null;
  const { r, d } = readOptions(value, ["r", "d"], "saved.renorm");
  return { r: checkTableOf("saved.renorm.r", r, channels), d: checkTableOf("saved.renorm.d", d, channels) };
}

/** Reads channel axes that do not touch. They must be those that the token's data were copied by. */
function readApartAxes(
  value: unknown,
  { shape, dtype, outer, channels, inner }: Pick<Saved, "shape" | "dtype" | "outer" | "channels" | "inner">,
): readonly number[] {
  const axes = readShape("saved.apartAxes", value);
  const isFound = axes.length > 0 && axes.every((axis, i) => axis < shape.length && (i === 0 || axis > axes[i - 1]!));
  const plan = isFound ? planOf(shape, axes, dtype) : null;
  if (plan?.outer === outer && plan.channels === channels && plan.inner === inner) return axes;
  throw rangeError("ERR_BATCHNORM_SAVED", `"saved.apartAxes" do not fit the token that they are in`);
}

function checkMark(name: string, value: unknown): Uint8Array {
  return checkArray(name, value, ["Uint8Array"]) as Uint8Array;
}

/** Reads the marks of a layer's memory. A token refers to two arrays at most. */
function readMemory(value: unknown): readonly Uint8Array[] | null {
  if (value === null) return null;
  const marks = Array.isArray(value) ? (value as unknown[]) : [value];
  const length = Math.min(checkSize("saved.memory", "length", marks.length), 2);
  return Array.from({ length }, (_, i) => checkMark(`saved.memory[${i}]`, marks[i]));
}

/** Whether a token's data are those of another from an element on. */
function isPartOf(token: Saved, { dtype, channels, x, residualOrOutput }: Saved, at: number): boolean {
  const isPart = (part: Data | null, whole: Data | null): boolean =>
    part && whole ? sameMemory(part, partsOf(whole)(at, sizeOf(token))) : part === whole;
  const isAlike = token.dtype === dtype && token.channels % channels === 0 && token.virtualBatches === null;
  return isAlike && isPart(token.x, x) && isPart(token.residualOrOutput, residualOrOutput);
}

/** Whether all have γ and β for each sample, or none has, and these are those of all samples of the whole. */
function areConditionalAlike(tokens: readonly Saved[], { shape }: Saved): boolean {
  const first = tokens[0]?.conditional ?? null;
  const areAlike = tokens.every(
    ({ conditional }) => conditional?.hasWeight === first?.hasWeight && conditional?.hasBias === first?.hasBias,
  );
  return areAlike && (first === null || tokens.reduce((sum, token) => sum + token.shape[0]!, 0) === shape[0]);
}

/** Reads the tokens of virtual batches, which have no life of their own. Together their data are those of the whole. */
function readVirtualBatches(value: unknown, whole: Saved): readonly Saved[] {
  const list = Array.isArray(value) ? (value as unknown[]) : [value];
  const size = sizeOf(whole);
  const count = Math.min(checkSize("saved.virtualBatches", "length", list.length), size);
  const tokens: Saved[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    const token = readSaved(list[i], true);
    if (sizeOf(token) > size - at || !isPartOf(token, whole, at)) break;
    tokens.push(token);
    at += sizeOf(token);
  }
  if (at === size && tokens.length === list.length && areConditionalAlike(tokens, whole)) return tokens;
  throw rangeError("ERR_BATCHNORM_SAVED", `"saved.virtualBatches" do not fit the token that they are in`);
}

const NO_TOKEN =
  'run forward (in inference with "save" true) before backward; if it ran more than once, pass the token of each forward as "saved"';

/**
 * Makes a checked copy of a token. With `again`, a used token is accepted too, if its x was not overwritten.
 *
 * @throws TypeError if it is no token, RangeError if it was used, was changed or does not fit.
 */
export function readSaved(value: unknown, again = false): Saved {
  if (value === null || value === undefined) {
    throw typeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" expected the token of a forward, got ${describe(value)}: ${NO_TOKEN}`,
    );
  }
  const fields = { ...(isRecord(value) && value) } as Record<keyof Saved, unknown>;
  if (fields.life === undefined)
    throw typeError("ERR_BATCHNORM_SAVED", `"saved" expected the token of a forward, got ${describe(value)}`);
  const life = checkMark("saved.life", fields.life);
  const memory = readMemory(fields.memory);
  checkAlive(life, memory, again);
  const shape = readShape("saved.shape", fields.shape);
  const activation = readActivation("saved.activation", fields.activation);
  const dtype = checkOneOf("saved.dtype", fields.dtype, DTYPES);
  const outer = checkInteger("saved.outer", fields.outer, 0);
  const channels = checkInteger("saved.channels", fields.channels, 1);
  const inner = checkInteger("saved.inner", fields.inner, 0);
  const size = outer * channels * inner;
  checkSlopes("saved.activation.slope", activation, channels, "float64");
  if (shape.reduce((a, b) => a * b, 1) !== size) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a shape of ${size} elements, got [${shape.join(", ")}]`);
  }
  const saved: Saved = {
    dtype,
    apartAxes:
      fields.apartAxes === null ? null : readApartAxes(fields.apartAxes, { shape, dtype, outer, channels, inner }),
    outer,
    channels,
    inner,
    shape,
    count: checkInRange("saved.count", fields.count, 0, Number.MAX_VALUE),
    isPart: checkBoolean("saved.isPart", fields.isPart),
    fixedStatistics: checkBoolean("saved.fixedStatistics", fields.fixedStatistics),
    activation,
    mean: checkTableOf("saved.mean", fields.mean, channels),
    invStd: checkTableOf("saved.invStd", fields.invStd, channels),
    weight: checkTableOf("saved.weight", fields.weight, channels),
    bias: checkTableOf("saved.bias", fields.bias, channels),
    renorm: readRenormTables(fields.renorm, channels),
    conditional: null,
    virtualBatches: null,
    isInterleaved: checkBoolean("saved.isInterleaved", fields.isInterleaved),
    hasWeight: checkBoolean("saved.hasWeight", fields.hasWeight),
    hasBias: checkBoolean("saved.hasBias", fields.hasBias),
    hasResidual: checkBoolean("saved.hasResidual", fields.hasResidual),
    x: checkData("saved.x", fields.x, dtype, size),
    xIsOutput: checkBoolean("saved.xIsOutput", fields.xIsOutput),
    residualOrOutput:
      fields.residualOrOutput === null
        ? null
        : checkData("saved.residualOrOutput", fields.residualOrOutput, dtype, size),
    holdsOutput: checkBoolean("saved.holdsOutput", fields.holdsOutput),
    sampleWeights:
      fields.sampleWeights === null ? null : checkTokenWeights(fields.sampleWeights, dtype, outer * inner, shape),
    maskedOutput: checkOneOf("saved.maskedOutput", fields.maskedOutput, ["normalize", "zero"]),
    life,
    memory,
    checksum: fields.checksum as number | null,
  };
  if (activation !== "none" && (saved.hasResidual || saved.holdsOutput) && !saved.residualOrOutput) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" lacks the residual or output its activation needs`);
  }
  const isHidden = saved.holdsOutput && !showsInOutput(activation);
  if (isHidden || (saved.xIsOutput && (!canBeUndone(activation) || saved.hasResidual))) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" holds an output that no input can be made of`);
  }
  if (saved.checksum !== null && saved.checksum !== checksumOf(saved.x, saved.residualOrOutput, saved.sampleWeights)) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" refers to data that changed between forward and backward`);
  }
  const whole =
    fields.conditional === null ? saved : { ...saved, conditional: readSampleTables(fields.conditional, saved) };
  if (fields.virtualBatches === null) return whole;
  return { ...whole, virtualBatches: readVirtualBatches(fields.virtualBatches, whole) };
}

/** Says that a backward has used a token, and where it wrote gradInput. */
export function markUsed({ life, x }: Saved, dx: Data | null): void {
  end(life, dx !== null && sameMemory(dx, x));
}

/** Says that the backward of a token has failed. It serves another one, unless its x may have been overwritten. */
export function markFailed({ life, x }: Saved, dx: Data | null): void {
  if (dx !== null && sameMemory(dx, x)) end(life, true);
  else begin(life);
}
