// The control block of src/control.ts, read through a pointer: header, per-channel fields,
// per-column state, scratch. Every slot is a float64.

export const enum Walk { planes, rows, fewColumns }

export const enum Flag { relu = 1, auxIsOutput = 2, frozen = 4 }

export const enum Part { first = 1, last = 2 }

export const enum Slot {
  outer, channels, inner, walk, flags, eps, count, part, block, groupCount, totalCount,
}

export const enum Field {
  weight, bias, mean, m2, invStd, center, scale, shift,
  sumG, sumGX, gradShift, gradSlope, gradScale,
  count,
}

/** Per-column running state: (mean, m2) or (S, U) of the merged groups, then of the open group. */
export const enum State { total, totalSecond, group, groupSecond, count }

const HEADER: usize = 16;
const SCRATCH_PAD: usize = 256;

@inline
export function getSlot(control: usize, slot: Slot): f64 {
  return load<f64>(control + (<usize>slot << 3));
}

@inline
export function setSlot(control: usize, slot: Slot, value: f64): void {
  store<f64>(control + (<usize>slot << 3), value);
}

@inline
export function sizeOf(control: usize, slot: Slot): usize {
  return <usize>getSlot(control, slot);
}

export function hasFlag(control: usize, flag: Flag): bool {
  return (<i32>getSlot(control, Slot.flags) & flag) != 0;
}

export function hasPart(control: usize, part: Part): bool {
  return (<i32>getSlot(control, Slot.part) & part) != 0;
}

/** Columns of the walk: the channels themselves, or every (channel, inner) pair in the rows walks. */
export function columnsOf(control: usize): usize {
  const channels = sizeOf(control, Slot.channels);
  return sizeOf(control, Slot.walk) == Walk.planes ? channels : channels * sizeOf(control, Slot.inner);
}

/** Columns whose results make up one channel. */
export function columnsPerChannel(control: usize): usize {
  return sizeOf(control, Slot.walk) == Walk.planes ? 1 : sizeOf(control, Slot.inner);
}

/** A field's first channel. */
export function fieldOf(control: usize, field: Field): usize {
  return control + ((HEADER + <usize>field * sizeOf(control, Slot.channels)) << 3);
}

/** A state array's first column. */
export function stateOf(control: usize, state: State): usize {
  return fieldOf(control, Field.count) + ((<usize>state * columnsOf(control)) << 3);
}

/** Bytes of one scratch array. */
export function scratchStride(control: usize): usize {
  return (columnsOf(control) + SCRATCH_PAD) << 3;
}

/** The first of the six scratch arrays. */
export function scratchOf(control: usize): usize {
  return stateOf(control, State.count);
}
