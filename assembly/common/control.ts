// The call that is being worked on: the header of its control block, and its header. Sizes are converted once in a
// call, because converting a float64 costs as much as several values. On several threads a call has shares, each of which
// is a part of the tensor.
import { FIELDS, Flag, HEADER, Kind, Part, SCRATCH_PAD, STATES, Slot, Traversal } from "./layout";

/**
 * The running state of every column, an array each: mean, m2 and count (or S and U) of the groups that were merged,
 * then of the open group. Only moments with weights keep the counts here, because a column's count depends on its
 * weights.
 */
export const enum State { total, totalSecond, totalCount, group, groupSecond, groupCount }

/** State arrays from those of the total to those of the open group. */
export const TO_GROUP: usize = State.group;

/** Where an instance has its own data, in bytes from the header. `Statics` of the files that have them are no larger. */
export const enum Own { block = 256, second = 384, span = 512, work = 576, constants = 608, buffers = 704 }

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
  /** Bytes from one outer index of the tensor to the next, of which a share may take a part. */
  rowStride: usize;
  /** The first field's first channel, and the bytes of a field. */
  fields: usize;
  fieldStride: usize;
  /** The first column's state. */
  states: usize;
  /** The first scratch array, and the bytes of one. */
  scratch: usize;
  scratchStride: usize;
  /** The blocks of each column that are summed. */
  block: usize;
  blockEnd: usize;
  /** The operands' byte addresses; 0 where one is absent. A kernel sets those it takes. */
  x: usize;
  y: usize;
  residual: usize;
  dy: usize;
  dx: usize;
  residualOrY: usize;
  dresidual: usize;
  w: usize;
}

/**
 * Where an instance's own data begin. Each thread has an instance of its own, and all are in one memory, so that the place
 * is no constant.
 */
// @ts-ignore: decorator
@external("env", "base")
declare const base: usize;

/** The header is the first of them. */
export const header = changetype<Header>(base);

/** The address of others. */
@inline
export function own(at: usize): usize {
  return base + at;
}

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
  return header.fields + field * header.fieldStride;
}

/** The address of the first column's state. */
@inline
export function states(): usize {
  return header.states;
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
  header.rowStride = header.channels * header.inner * size;
  header.fields = control + (HEADER << 3);
  header.fieldStride = header.channels << 3;
  header.block = 0;
  header.blockEnd = usize.MAX_VALUE;
  layStates(fieldOf(FIELDS));
}

/** Lays states and scratch out from an address on, for the channels that are worked on. */
export function layStates(at: usize): void {
  header.columnsPerChannel = header.traversal == Traversal.planes ? 1 : header.inner;
  header.columns = header.channels * header.columnsPerChannel;
  header.states = at;
  header.scratch = at + STATES * stateStride();
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
