// The arrays of a group: views of blocks of memory that all groups of a process share.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createArena } from "batchnorm";
import { narrow } from "../../src/base/storage.js";
import type { Data } from "../../src/base/types.js";
import { lengthOf } from "../shapes.js";
import { fillGradient, fillInput } from "../timed-data.js";
import type { Contender, Setting } from "../plan.js";
import type { Memory } from "../selection.js";

/** What a call reads and writes. */
export interface Operands {
  readonly x: Data;
  readonly dy: Data;
  /** y or dx. */
  readonly out: Data;
}

export interface Tensors extends Operands {
  /** The same x and dy in an arena, where a contender works there. */
  readonly arena: Operands | null;
  /** What a reference backend computes. */
  readonly expected: Data;
}

/** The bytes of an array as float32, for what only moves them. */
export function asFloats({ buffer, byteOffset, byteLength }: Data): Float32Array {
  return new Float32Array(buffer, byteOffset, Math.floor(byteLength / 4));
}

export function operandsIn(tensors: Tensors, memory: Memory): Operands {
  return memory === "arena" ? tensors.arena! : tensors;
}

type Block = Float64Array;

/** A setting, and who works on it. */
export interface Occasion extends Setting {
  readonly contenders: readonly Pick<Contender, "memory">[];
}

function usesArena({ contenders }: Occasion): boolean {
  return contenders.some(({ memory }) => memory === "arena");
}

const KINDS = { float32: Float32Array, float64: Float64Array, float16: Uint16Array, bfloat16: Uint16Array } as const;

/** x of a kind and dy: of 16-bit types those of float32, rounded. */
function fill({ x, dy }: Operands, { shape, layout, data, dtype }: Setting): void {
  const [inputs, gradients] = [x, dy].map((own) => (own instanceof Uint16Array ? new Float32Array(own.length) : own));
  fillInput(inputs!, data, shape, layout);
  fillGradient(gradients!);
  if (x instanceof Uint16Array) narrow(dtype, inputs as Float32Array, x);
  if (dy instanceof Uint16Array) narrow(dtype, gradients as Float32Array, dy);
}

/** Room for the longest of the occasions, in whole float64. */
function longest(occasions: readonly Occasion[]): number {
  const bytesOf = ({ shape, dtype }: Setting): number => lengthOf(shape) * KINDS[dtype].BYTES_PER_ELEMENT;
  return Math.ceil(Math.max(8, ...occasions.map(bytesOf)) / 8);
}

/** One arena for x, dy and out of every occasion that uses one: a call works in place only if all of its arrays are there. */
function makeArena(occasions: readonly Occasion[]): Block[] {
  if (occasions.length === 0) return [];
  const length = longest(occasions);
  const arena = createArena(3 * (8 * length + 64));
  return [arena.float64(length), arena.float64(length), arena.float64(length)];
}

/** Memory for the occasions that come; a call fills x and dy for one of them. */
export function makeTensors(occasions: readonly Occasion[]): (occasion: Occasion) => Tensors {
  const blocks = Array.from({ length: 4 }, () => new Float64Array(longest(occasions)));
  const arenaBlocks = makeArena(occasions.filter(usesArena));
  return (occasion) => {
    const { shape, dtype } = occasion;
    const kind = KINDS[dtype];
    const view = (block: Block): Data => new kind(block.buffer as ArrayBuffer, block.byteOffset, lengthOf(shape));
    const [x, dy, out, expected] = blocks.map(view);
    const tensors = { x: x!, dy: dy!, out: out!, expected: expected! };
    fill(tensors, occasion);
    if (!usesArena(occasion)) return { ...tensors, arena: null };
    const [arenaX, arenaDy, arenaOut] = arenaBlocks.map(view);
    arenaX!.set(tensors.x);
    arenaDy!.set(tensors.dy);
    return { ...tensors, arena: { x: arenaX!, dy: arenaDy!, out: arenaOut! } };
  };
}

let collect: (() => void) | undefined;

/** Fresh outputs are garbage of up to 205 MB each: collected between rounds, not in the next case's time. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}
