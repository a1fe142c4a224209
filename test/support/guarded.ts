// Arrays that show a write or a read beyond their ends, and comparison bit for bit.
import { Control, type Extent } from "../../src/kernels/control.js";
import { FIELDS } from "../../src/kernels/layout.js";
import { allocate, type Data, type DType } from "../../src/base/types.js";
import { firstDifference as firstUnequal } from "../../src/verify/fused.js";

/** Each byte around an array, and of an output before the call: a huge number that spoils any sum it is read into. */
const POISON = 0xfe;
const GUARD = 32; // elements on either side

/** An array of `length` elements between two guards, `offset` elements off its alignment. */
export class Guarded<T extends Data = Data> {
  readonly view: T;
  private readonly bytes: Uint8Array;

  constructor(allocateArray: (length: number) => T, length: number, offset: number) {
    const whole = allocateArray(length + 2 * GUARD + offset);
    this.bytes = new Uint8Array(whole.buffer);
    this.bytes.fill(POISON);
    this.view = whole.subarray(GUARD + offset, GUARD + offset + length) as T;
  }

  static copyOf(dtype: DType, source: Data, offset: number): Guarded {
    const result = new Guarded<Data>((length) => allocate(dtype, length), source.length, offset);
    result.view.set(source);
    return result;
  }

  /** Whether nothing was written before or behind the array. */
  intact(): boolean {
    const { byteOffset, byteLength } = this.view;
    return (
      this.bytes.subarray(0, byteOffset).every((byte) => byte === POISON) &&
      this.bytes.subarray(byteOffset + byteLength).every((byte) => byte === POISON)
    );
  }
}

/** A control block between guards; its fields and scratch hold poison until they are set. */
export function guardedControl(dtype: DType, extent: Extent): { control: Control; guarded: Guarded } {
  const control = new Control(dtype, extent);
  const header = control.block.subarray(0, control.fields.weight.byteOffset / 8);
  const guarded = new Guarded((length) => new Float64Array(length), control.block.length, 0);
  guarded.view.set(header);
  const moved = (old: Float64Array): Float64Array =>
    guarded.view.subarray(old.byteOffset / 8, old.byteOffset / 8 + old.length);
  const fields = Object.fromEntries(FIELDS.map((name) => [name, moved(control.fields[name])]));
  return { guarded, control: Object.assign(control, { block: guarded.view, fields }) };
}

/** First index at which two arrays of a type differ, as bits or NaNs, -1 where none; most are equal, which Buffer sees fastest. */
export function firstDifference(expected: Data, got: Data, dtype: DType): number {
  const bytes = (data: Data): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes(expected).equals(bytes(got)) ? -1 : firstUnequal(expected, got, dtype);
}
