// The arrays of asynchronous calls: between guards, in memory of any kind, which may go away in the middle of a call.
import { bytesOf, viewOf } from "../../../src/base/outputs.js";
import { allocate, type Data, type DType } from "../../../src/base/types.js";
import type { Memory } from "../recorder.js";
import type { Place } from "./case.js";
import { type Rooms, type Room } from "./rooms.js";

const POISON = 0xfe;
const GUARD = 128;

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const isPoison = (bytes: Uint8Array): boolean => equal(bytes, new Uint8Array(bytes.length).fill(POISON));

/** Arrays by their views. */
const places = new WeakMap<object, Placed>();

/** Says that a call may write to these arrays. */
export function noteOutputs(...views: readonly unknown[]): void {
  for (const view of views) {
    const placed = places.get(view as object);
    if (placed) placed.isOutput = true;
  }
}

/** Whether an array was held by a call, and its memory went away. */
export const isGone = (view: unknown): boolean =>
  typeof view === "object" && view !== null && (places.get(view)?.isGone ?? false);

/** An array between two guards. */
export class Placed {
  readonly view: Data;
  readonly #room: Room;
  readonly #end: number;
  readonly #given: Data;
  /** What is left of memory that went away, and its bytes at that time. */
  #left: readonly [left: Uint8Array, then: Uint8Array] | null = null;
  /** Whether a call may write to it. */
  isOutput = false;

  constructor(dtype: DType, data: Data, place: Place, offset: number, rooms: Rooms) {
    const before = GUARD + offset * bytesOf(dtype);
    this.#given = data;
    const size = before + data.byteLength + GUARD;
    this.#room = rooms.make(place, size);
    const { buffer, begin } = this.#room;
    this.#end = begin + size;
    new Uint8Array(buffer, begin, size).fill(POISON);
    this.view = viewOf(dtype, buffer, begin + before, data.length);
    this.view.set(data);
    places.set(this.view, this);
  }

  /** Whether its memory went away. */
  get isGone(): boolean {
    return this.#left !== null;
  }

  take(): void {
    const { take } = this.#room;
    if (!take || this.#left) return;
    const left = take();
    this.#left = [left, left.slice()];
  }

  grow(): void {
    if (!this.#left) this.#room.grow?.();
  }

  /** What is wrong with the memory, or null. */
  get fault(): string | null {
    if (this.#left) return equal(...this.#left) ? null : "memory was written after it had been taken away";
    const { view } = this;
    const { buffer, begin } = this.#room;
    const at = view.byteOffset;
    const until = at + view.byteLength;
    const isIntact =
      isPoison(new Uint8Array(buffer, begin, at - begin)) && isPoison(new Uint8Array(buffer, until, this.#end - until));
    if (!isIntact) return "memory beside an array was written";
    if (this.isOutput) return null;
    const { byteOffset, byteLength } = this.#given;
    const isSame = equal(
      new Uint8Array(buffer, at, byteLength),
      new Uint8Array(this.#given.buffer, byteOffset, byteLength),
    );
    return isSame ? null : "an input was written";
  }
}

/** Holds the arrays of one call. Each is in the next of these places. */
export class CallMemory implements Memory {
  readonly arrays: Placed[] = [];

  constructor(
    private readonly places: readonly Place[],
    private readonly offset: number,
    private readonly rooms: Rooms,
  ) {}

  hold(dtype: DType, data: Data): Data {
    const count = this.arrays.length;
    const place = this.places[count % this.places.length]!;
    const placed = new Placed(dtype, data, place, (this.offset * (1 + count)) % 16, this.rooms);
    this.arrays.push(placed);
    return placed.view;
  }

  /** An array for results, which holds what no call should leave there. */
  output(dtype: DType, length: number): Data {
    return this.hold(dtype, allocate(dtype, length).fill(7));
  }

  intact(): boolean {
    return this.arrays.every(({ fault }) => fault === null);
  }
}

/** Holds the arrays of the oracle's calls, which nothing takes away. */
export const plainMemory: Memory = {
  hold: (_, data) => data.slice(),
  output: (dtype, length) => allocate(dtype, length),
  intact: () => true,
};
