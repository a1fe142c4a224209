// The control block: one Float64Array that carries a kernel call's arguments, coefficients and results, so that a call
// passes the data arrays and this block. Its layout is in layout.ts.
import { fill, partedCopyOf, zeros } from "../base/arrays.js";
import { isStoredIn16Bits, type DType } from "../base/types.js";
import {
  BLOCK,
  BLOCK_ROWS,
  FIELDS,
  Flag,
  GROUP,
  HEADER,
  LANES,
  Part,
  SCRATCH,
  SCRATCH_PAD,
  STATES,
  Slot,
  Storage,
  Traversal,
  type Field,
} from "./layout.js";

/** The shape every layout reduces to: element (o, c, i) is at `(o*channels + c)*inner + i`. */
export interface Extent {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** The traversal of a whole tensor; a tile of it keeps the traversal of the whole. */
export function traversalOf({ channels, inner }: Extent): Traversal {
  if (inner >= LANES) return Traversal.planes;
  return channels * inner >= LANES ? Traversal.rows : Traversal.fewColumns;
}

/** Columns of the traversal: the channels themselves, or every (channel, inner) pair in the rows traversals. */
export function columnsOf({ channels, inner }: Extent, traversal: Traversal): number {
  return traversal === Traversal.planes ? channels : channels * inner;
}

/** Length of the control block, in float64 elements. */
export function controlLength({ channels }: Extent): number {
  return HEADER + FIELDS.length * channels;
}

/** Length of the control block in a WebAssembly memory, where the kernels have their states and scratch behind it. */
export function stagedLength(extent: Extent, traversal: Traversal): number {
  const columns = columnsOf(extent, traversal);
  return controlLength(extent) + STATES * columns + SCRATCH * (columns + SCRATCH_PAD);
}

/** Blocks of one column (contract, clause 1). */
export function blockCount({ outer, channels, inner }: Extent, traversal: Traversal): number {
  if (outer * channels * inner === 0) return 0;
  if (traversal === Traversal.rows) return Math.ceil(outer / BLOCK_ROWS);
  if (traversal === Traversal.fewColumns) return Math.ceil(outer / BLOCK);
  return inner > BLOCK ? outer * Math.ceil(inner / BLOCK) : Math.ceil(outer / Math.floor(BLOCK / inner));
}

/** The positions (o, i) of each group of blocks, as a range of o·inner + i (contract, clauses 1 and 3). */
export function* groupsOf(extent: Extent): Generator<readonly [begin: number, end: number]> {
  const { outer, inner } = extent;
  const traversal = traversalOf(extent);
  const rows = traversal === Traversal.rows ? BLOCK_ROWS : BLOCK;
  const isCut = traversal === Traversal.planes && inner > BLOCK;
  const perRun = isCut ? Math.ceil(inner / BLOCK) : 1;
  const perBlock = traversal === Traversal.planes ? Math.floor(BLOCK / inner) : rows;
  const startOf = (block: number): number =>
    isCut ? Math.floor(block / perRun) * inner + (block % perRun) * BLOCK : Math.min(block * perBlock, outer) * inner;
  const blocks = blockCount(extent, traversal);
  for (let block = 0; block < blocks; block += GROUP) {
    const end = block + GROUP < blocks ? startOf(block + GROUP) : outer * inner;
    yield [startOf(block), end];
  }
}

export type Fields = { readonly [K in Field]: Float64Array };

/** What a forward normalized with, one element per channel each. */
export type Statistics = Pick<Fields, "weight" | "bias" | "mean" | "invStd">;

/** Fields from the first to `invStd`. */
const STATISTICS = FIELDS.indexOf("invStd") + 1;

/** Copies of the statistics. */
export function copyStatistics({ statistics, extent: { channels } }: Control): Statistics {
  const partOf = partedCopyOf(statistics);
  const field = (name: Field): Float64Array => partOf(FIELDS.indexOf(name) * channels, channels);
  return { weight: field("weight"), bias: field("bias"), mean: field("mean"), invStd: field("invStd") };
}

/** A control block with named views of its fields. Reused by every call of the same extent. */
export class Control {
  readonly fields: Fields;
  /** The fields that a token keeps, as one array. */
  readonly statistics: Float64Array;
  /** Whether elements are computed with as float32. */
  readonly isFloat32: boolean;

  constructor(
    readonly dtype: DType,
    readonly extent: Extent,
    readonly traversal: Traversal = traversalOf(extent),
    /** All zeros. */
    readonly block: Float64Array<ArrayBuffer> = zeros(controlLength(extent)),
  ) {
    const { channels } = extent;
    const { buffer, byteOffset } = block;
    const fieldAt = (field: number): number => byteOffset + 8 * (HEADER + field * channels);
    this.isFloat32 = dtype !== "float64";
    this.fields = Object.fromEntries(
      FIELDS.map((name, i) => [name, new Float64Array(buffer, fieldAt(i), channels)]),
    ) as Fields;
    this.statistics = new Float64Array(buffer, fieldAt(0), STATISTICS * channels);
    block[Slot.outer] = extent.outer;
    block[Slot.channels] = channels;
    block[Slot.inner] = extent.inner;
    block[Slot.traversal] = traversal;
    block[Slot.part] = Part.whole;
    block[Slot.count] = extent.outer * extent.inner;
    block[Slot.threads] = block[Slot.threadsUsed] = 1;
    block[Slot.streamFrom] = Infinity;
    block[Slot.storage] = isStoredIn16Bits(dtype) ? Storage[dtype] : Storage.own;
    fill(this.fields.weight, 1);
  }

  get(slot: keyof typeof Slot): number {
    return this.block[Slot[slot]]!;
  }

  set(slot: keyof typeof Slot, value: number): void {
    this.block[Slot[slot]] = value;
  }

  has(flag: keyof typeof Flag): boolean {
    return (this.get("flags") & Flag[flag]) !== 0;
  }
}
