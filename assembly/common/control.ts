// The control block of src/control.ts: header, per-channel fields, per-column state, scratch. Every slot is a float64;
// what is a size is converted once a call, because a conversion costs as much as several values.

export const enum Walk { planes, rows, fewColumns }

export const enum Flag { relu = 1, auxIsOutput = 2, frozen = 4, leaky = 8, inverse = 16 }

export const enum Part { first = 1, last = 2 }

export const enum Slot {
  outer, channels, inner, walk, flags, eps, count, part, block, groupCount, totalCount,
  slope = 15, storage,
}

export const enum Field {
  weight, bias, mean, m2, invStd, center, scale, shift,
  sumG, sumGX, gradShift, gradSlope, gradScale,
  count,
}

/** Per-column running state: (mean, m2) or (S, U) of the merged groups, then of the open group; then the counts of both. */
export const enum State { total, totalSecond, group, groupSecond, totalCount, groupCount, count }

const HEADER: usize = 24;
const SCRATCH_PAD: usize = 256;

/** The call that is being worked on. */
@unmanaged
export class Header {
  control: usize;
  /** Bytes of a value. */
  size: usize;
  outer: usize;
  channels: usize;
  inner: usize;
  walk: Walk;
  flags: u32;
  part: u32;
  /** Columns of the walk: the channels themselves, or every (channel, inner) pair in the rows walks. */
  columns: usize;
  /** Columns whose results make up one channel. */
  columnsPerChannel: usize;
  /** The first of the six scratch arrays, and the bytes of one. */
  scratch: usize;
  scratchStride: usize;
}

export const header = changetype<Header>(memory.data(offsetof<Header>(), 8));

@inline
export function getSlot(slot: Slot): f64 {
  return load<f64>(header.control + (<usize>slot << 3));
}

@inline
export function setSlot(slot: Slot, value: f64): void {
  store<f64>(header.control + (<usize>slot << 3), value);
}

/** A field's first channel. */
export function fieldOf(field: Field): usize {
  return header.control + ((HEADER + <usize>field * header.channels) << 3);
}

/** A state array's first column. */
export function stateOf(state: State): usize {
  return fieldOf(Field.count) + ((<usize>state * header.columns) << 3);
}

/** Reads the header of a control block for values of `size` bytes. */
export function open(control: usize, size: usize): void {
  header.control = control;
  header.size = size;
  header.outer = <usize>getSlot(Slot.outer);
  header.channels = <usize>getSlot(Slot.channels);
  header.inner = <usize>getSlot(Slot.inner);
  header.walk = <Walk>getSlot(Slot.walk);
  header.flags = <u32>getSlot(Slot.flags);
  header.part = <u32>getSlot(Slot.part);
  header.columnsPerChannel = header.walk == Walk.planes ? 1 : header.inner;
  header.columns = header.channels * header.columnsPerChannel;
  header.scratch = stateOf(State.count);
  header.scratchStride = (header.columns + SCRATCH_PAD) << 3;
}

@inline
export function hasFlag(flag: Flag): bool {
  return (header.flags & flag) != 0;
}

@inline
export function hasPart(part: Part): bool {
  return (header.part & part) != 0;
}
