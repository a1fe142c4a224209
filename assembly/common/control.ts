// The call that is being worked on: the header of its control block, and its operands. Sizes are converted once in a
// call, because converting a float64 costs as much as several values.
import { FIELDS, Flag, HEADER, Kind, Part, SCRATCH_PAD, STATES, Slot, Traversal } from "./layout";

/**
 * The running state of every column, an array each: mean, m2 and count (or S and U) of the groups that were merged,
 * then of the open group. Only moments with weights keep the counts here, because a column's count depends on its
 * weights.
 */
export const enum State { total, totalSecond, totalCount, group, groupSecond, groupCount }

/** State arrays from those of the total to those of the open group. */
export const TO_GROUP: usize = State.group;

@unmanaged
export class Header {
  control: usize;
  /** Bytes of a value. */
  size: usize;
  outer: usize;
  channels: usize;
  inner: usize;
  traversal: Traversal;
  flags: u32;
  part: u32;
  /** The channels themselves in the planes traversal, otherwise every pair of a channel and an inner index. */
  columns: usize;
  /** Columns whose results make up one channel. */
  columnsPerChannel: usize;
  /** The first scratch array, and the bytes of one. */
  scratch: usize;
  scratchStride: usize;
}

export const header = changetype<Header>(memory.data(offsetof<Header>(), 8));

/** Byte addresses; 0 where an operand is absent. A kernel sets those it takes. */
@unmanaged
export class Operands {
  x: usize;
  y: usize;
  residual: usize;
  dy: usize;
  dx: usize;
  residualOrY: usize;
  dresidual: usize;
  w: usize;
}

export const operands = changetype<Operands>(memory.data(offsetof<Operands>(), 8));

@inline
export function getSlot(slot: Slot): f64 {
  return load<f64>(header.control + (<usize>slot << 3));
}

@inline
export function setSlot(slot: Slot, value: f64): void {
  store<f64>(header.control + (<usize>slot << 3), value);
}

/** The address of a field's first channel. */
export function fieldOf(field: usize): usize {
  return header.control + ((HEADER + field * header.channels) << 3);
}

/** The address of the first column's state. */
export function states(): usize {
  return fieldOf(FIELDS);
}

/** Bytes from one state array to the next. */
@inline
export function stateStride(): usize {
  return header.columns << 3;
}

/** Reads the header of a control block for values of `size` bytes. */
export function open(control: usize, size: usize): void {
  header.control = control;
  header.size = size;
  header.outer = <usize>getSlot(Slot.outer);
  header.channels = <usize>getSlot(Slot.channels);
  header.inner = <usize>getSlot(Slot.inner);
  header.traversal = <Traversal>getSlot(Slot.traversal);
  header.flags = <u32>getSlot(Slot.flags);
  header.part = <u32>getSlot(Slot.part);
  header.columnsPerChannel = header.traversal == Traversal.planes ? 1 : header.inner;
  header.columns = header.channels * header.columnsPerChannel;
  header.scratch = states() + STATES * stateStride();
  header.scratchStride = (header.columns + SCRATCH_PAD) << 3;
}

@inline
export function hasFlag(flag: Flag): bool {
  return (header.flags & flag) != 0;
}

/** Which activation is applied: a rectifier where there is none. */
export function kindOf(): Kind {
  return hasFlag(Flag.activation) ? <Kind>getSlot(Slot.kind) : Kind.rectifier;
}

@inline
export function hasPart(part: Part): bool {
  return (header.part & part) != 0;
}
