// The token a forward leaves for its backward: plain data, checked anew whenever it comes back, so
// that one sent to another worker, or forged, is as safe as one of our own.
import {
  bufferOf,
  byteLengthOf,
  byteOffsetOf,
  checkBoolean,
  checkData,
  checkInRange,
  checkInteger,
  checkOneOf,
  describe,
  tagOf,
} from "./check.js";
import type { Activation } from "./config.js";
import { environment } from "./environment.js";
import { rangeError, typeError } from "./errors.js";
import { readShape } from "./plan.js";
import type { ArrayOf, Data, DType } from "./types.js";
import type { MaskedOutput } from "./weights.js";

/**
 * What a forward saves for its backward. Treat it as opaque: pass it on, keep as many as there are
 * forwards, send it to a worker (every field is plain transferable data). It holds x, and with ReLU
 * the residual, by reference: they must not change before the backward. It serves one backward.
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
  readonly x: ArrayOf<D>;
  /** With ReLU and a residual, what its mask is made of: the residual, or the output that replaced it. */
  readonly aux: ArrayOf<D> | null;
  readonly auxIsOutput: boolean;
  /** A weight for each position, where the forward had any that the backward depends on. */
  readonly sampleWeights: ArrayOf<D> | null;
  readonly maskedOutput: MaskedOutput;
}

const used = new WeakSet<object>();
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

/** A checked copy of a token. @throws TypeError for none, RangeError for a used, changed or unfit one. */
export function readSaved(value: unknown): Saved {
  if (value === null || value === undefined) {
    throw typeError(
      "ERR_BATCHNORM_SAVED",
      `"saved" expected the token of a forward, got ${describe(value)}: run forward (with save) before backward`,
    );
  }
  if (typeof value !== "object" || tagOf(value) !== undefined) {
    throw typeError("ERR_BATCHNORM_SAVED", `"saved" expected the token of a forward, got ${describe(value)}`);
  }
  if (used.has(value))
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" was already used by a backward: run forward again`);
  const fields = { ...value } as Record<keyof Saved, unknown>;
  const shape = readShape("saved.shape", fields.shape);
  const dtype = checkOneOf("saved.dtype", fields.dtype, ["float32", "float64"]);
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
    activation: checkOneOf("saved.activation", fields.activation, ["none", "relu"]),
    mean: checkTableOf("saved.mean", fields.mean, channels),
    invStd: checkTableOf("saved.invStd", fields.invStd, channels),
    weight: checkTableOf("saved.weight", fields.weight, channels),
    bias: checkTableOf("saved.bias", fields.bias, channels),
    hasWeight: checkBoolean("saved.hasWeight", fields.hasWeight),
    hasBias: checkBoolean("saved.hasBias", fields.hasBias),
    hasResidual: checkBoolean("saved.hasResidual", fields.hasResidual),
    x: checkData("saved.x", fields.x, dtype, size),
    aux: fields.aux === null ? null : checkData("saved.aux", fields.aux, dtype, size),
    auxIsOutput: checkBoolean("saved.auxIsOutput", fields.auxIsOutput),
    sampleWeights:
      fields.sampleWeights === null
        ? null
        : checkData("saved.sampleWeights", fields.sampleWeights, dtype, outer * inner),
    maskedOutput: checkOneOf("saved.maskedOutput", fields.maskedOutput, ["normalize", "zero"]),
  };
  if (saved.activation === "relu" && (saved.hasResidual || saved.auxIsOutput) && !saved.aux) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" lacks the residual or output its ReLU needs`);
  }
  const before = checksums.get(value);
  if (before !== undefined && before !== checksumOf(saved)) {
    throw rangeError("ERR_BATCHNORM_SAVED", `"saved" refers to data that changed between forward and backward`);
  }
  return saved;
}

/** A token serves one backward: in-place ones overwrite what it refers to, and a second would count twice. */
export function markUsed(saved: object): void {
  used.add(saved);
}
