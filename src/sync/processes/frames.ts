// What processes and their hub send each other: frames, each with fields as JSON and numbers as they are.

/** Fields of a frame. */
export type Fields =
  | { readonly type: "join"; readonly rank: number; readonly key: string }
  | {
      readonly type: "values";
      /** Names the group, and the number of its gather. */
      readonly id: string;
      readonly members: readonly number[];
      readonly timeout: number | null;
      readonly call: string;
    }
  | { readonly type: "all"; readonly id: string }
  | { readonly type: "error"; readonly id: string; readonly message: string; readonly ranks: readonly number[] }
  | { readonly type: "leave"; readonly reason: string };

export interface Frame {
  readonly fields: Fields;
  readonly values: Float64Array;
}

/** The length of the fields and that of the values, in bytes, before each frame. */
const PREFIX = 8;

const NONE = new Float64Array(0);

/** A frame as bytes. */
export function bytesOf(fields: Fields, values: Float64Array = NONE): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(fields));
  const bytes = new Uint8Array(PREFIX + text.length + values.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, text.length, true);
  view.setUint32(4, values.byteLength, true);
  bytes.set(text, PREFIX);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), PREFIX + text.length);
  return bytes;
}

/** Makes frames of the pieces in which bytes arrive. */
export class Frames {
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** What the next frame needs at least. */
  #needed = PREFIX;

  constructor(private readonly use: (frame: Frame) => void) {}

  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    while (this.#length >= this.#needed) {
      const bytes = this.#joined();
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const [ofText, ofValues] = [view.getUint32(0, true), view.getUint32(4, true)];
      const end = PREFIX + ofText + ofValues;
      if (bytes.length < end) {
        this.#needed = end;
        return;
      }
      this.#keep(bytes.subarray(end));
      const text = new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + ofText));
      // A copy, since numbers must be aligned. `slice` of a Buffer would make none.
      const values = new Float64Array(ofValues / 8);
      new Uint8Array(values.buffer).set(bytes.subarray(PREFIX + ofText, end));
      this.use({ fields: JSON.parse(text) as Fields, values });
    }
  }

  #keep(rest: Uint8Array): void {
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#length = rest.length;
    this.#needed = PREFIX;
  }

  /** All pieces as one. They stay, as this one. */
  #joined(): Uint8Array {
    if (this.#pieces.length === 1) return this.#pieces[0]!;
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [all];
    return all;
  }
}
