// The token a forward leaves for its backward: plain data, checked anew whenever it comes back, so
// that one sent to another worker, or forged, is as safe as one of our own.
import {
  KIND,
  bufferOf,
  byteLengthOf,
  byteOffsetOf,
  checkArray,
  checkBoolean,
  checkData,
  checkInRange,
  checkInteger,
  checkOneOf,
  describe,
  lengthOf,
  tagOf,
} from "../base/check.js";
import { readActivation, type Activation } from "./activation.js";
import { environment } from "../base/environment.js";
import { rangeError, typeError } from "../base/errors.js";
import { readShape, sameMemory } from "./plan.js";
import {
  DTYPES,
  floatTypeOf,
  type BitsOf,
  type Data,
  type DType,
  type Floats,
  type ParametersOf,
} from "../base/types.js";
import type { MaskedOutput } from "./weights.js";

/**
 * What a forward saves for its backward. Treat it as opaque: pass it on, keep as many as there are
 * forwards, send it to a worker (every field is plain transferable data). It holds x, or where
 * asked the output, and with an activation the residual, by reference: they must not change before the backward. It
 * serves one backward.
 */
export interface Saved<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
  /** Values per channel behind the statistics, or the sum of their weights; of all parts where moments were merged. */
  readonly count: number;
  /** The statistics did not depend on x (inference, a frozen layer): dx = γ·r·dy. */
  readonly frozen: boolean;
  readonly activation: Activation;
  /** Mean and r = 1/√(σ² + ε) the forward normalized with, per channel, unrounded. */
  readonly mean: Float64Array;
  readonly invStd: Float64Array;
  /** γ and β at the time of the forward (1 and 0 where the layer has none). */
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  readonly x: BitsOf<D>;
  /** Whether `x` holds the output, of which backward makes x̂. */
  readonly xIsOutput: boolean;
  /** With an activation and a residual, what its mask is made of: the residual, or the output that replaced it. */
  readonly aux: BitsOf<D> | null;
  readonly auxIsOutput: boolean;
  /** A weight for each sample or each position, where the forward had any that the backward depends on. */
  readonly sampleWeights: ParametersOf<D> | null;
  readonly maskedOutput: MaskedOutput;
}

/** Elements of the forward's tensors. */
export function sizeOf({ outer, channels, inner }: Pick<Saved, "outer" | "channels" | "inner">): number {
  return outer * channels * inner;
}

const used = new WeakSet<object>();
/** Tokens whose x a backward wrote its gradInput over. */
const overwritten = new WeakSet<object>();
const checksums = new WeakMap<object, number>();

/** FNV-1a over the bits, 32 at a time. */
function checksum(...arrays: readonly (Data | null)[]): number {
  let hash = 0x811c9dc5;
  for (const array of arrays) {
    if (!array) continue;
    const words = new Uint32Array(bufferOf(array), byteOffsetOf(array), byteLengthOf(array) / 4);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  }
  return hash;
}

function checksumOf({ x, aux, sampleWeights }: Saved): number {
  return checksum(x, aux, sampleWeights);
}

/** Freezes a token; with BATCHNORM_DEBUG=1 remembers what its data looked like. */
export function makeSaved(fields: Saved): Saved {
  const saved = Object.freeze(fields);
  if (environment("BATCHNORM_DEBUG") === "1") checksums.set(saved, checksumOf(saved));
  return saved;
}

function checkTableOf(name: string, value: unknown, channels: number): Float64Array {
  return checkData(name, value, "float64", channels) as Float64Array;
}

/** As many as there are samples, which share them evenly, or as positions. */
function checkSampleWeights(given: unknown, dtype: DType, count: number, [samples]: readonly number[]): Floats {
  const weights = checkArray("saved.sampleWeights", given, [KIND[floatTypeOf(dtype)]]);
  const isShared = lengthOf(weights) === samples && samples > 0 && count % samples === 0;
  return isShared ? weights : checkData("saved.sampleWeights", weights, floatTypeOf(dtype), count);
}

/**
 * A checked copy of a token; `again`: one that a backward has used will do, where its x is still there.
 * @throws TypeError for none, RangeError for a used, changed or unfit one.
 */
export function readSaved(value: unknown, again = false): Saved {
  if (value === null || value === undefined) {
    throw typeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" expected the token of a forward, got ${describe(value)}: run forward (with save) before backward`,
    );
  }
  if (typeof value !== "object" || tagOf(value) !== undefined) {
    throw typeError("ERR_BATCHNORM_SAVED", `"saved" expected the token of a forward, got ${describe(value)}`);
  }
  if (again && overwritten.has(value))
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" lost its x: the backward's "out" was x`);
  if (!again && used.has(value))
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" was already used by a backward: run forward again`);
  const fields = { ...value } as Record<keyof Saved, unknown>;
  const shape = readShape("saved.shape", fields.shape);
  const activation = readActivation("saved.activation", fields.activation);
  const dtype = checkOneOf("saved.dtype", fields.dtype, DTYPES);
  const outer = checkInteger("saved.outer", fields.outer, 0);
  const channels = checkInteger("saved.channels", fields.channels, 1);
  const inner = checkInteger("saved.inner", fields.inner, 0);
  const size = outer * channels * inner;
  if (shape.reduce((a, b) => a * b, 1) !== size) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" expected a shape of ${size} elements, got [${shape.join(", ")}]`);
  }
  const saved: Saved = {
    dtype,
    outer,
    channels,
    inner,
    shape,
    count: checkInRange("saved.count", fields.count, 0, Number.MAX_VALUE),
    frozen: checkBoolean("saved.frozen", fields.frozen),
    activation,
    mean: checkTableOf("saved.mean", fields.mean, channels),
    invStd: checkTableOf("saved.invStd", fields.invStd, channels),
    weight: checkTableOf("saved.weight", fields.weight, channels),
    bias: checkTableOf("saved.bias", fields.bias, channels),
    hasWeight: checkBoolean("saved.hasWeight", fields.hasWeight),
    hasBias: checkBoolean("saved.hasBias", fields.hasBias),
    hasResidual: checkBoolean("saved.hasResidual", fields.hasResidual),
    x: checkData("saved.x", fields.x, dtype, size),
    xIsOutput: checkBoolean("saved.xIsOutput", fields.xIsOutput),
    aux: fields.aux === null ? null : checkData("saved.aux", fields.aux, dtype, size),
    auxIsOutput: checkBoolean("saved.auxIsOutput", fields.auxIsOutput),
    sampleWeights:
      fields.sampleWeights === null ? null : checkSampleWeights(fields.sampleWeights, dtype, outer * inner, shape),
    maskedOutput: checkOneOf("saved.maskedOutput", fields.maskedOutput, ["normalize", "zero"]),
  };
  if (activation !== "none" && (saved.hasResidual || saved.auxIsOutput) && !saved.aux) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" lacks the residual or output its activation needs`);
  }
  if (saved.xIsOutput && (activation === "relu" || saved.hasResidual)) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" holds an output that no input can be made of`);
  }
  const before = checksums.get(value);
  if (before !== undefined && before !== checksumOf(saved)) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" refers to data that changed between forward and backward`);
  }
  return saved;
}

/** A token serves one backward: in-place ones overwrite what it refers to, and a second would count twice. */
export function markUsed(token: object, { x }: Saved, dx: Data | null): void {
  used.add(token);
  if (dx && sameMemory(dx, x)) overwritten.add(token);
}
