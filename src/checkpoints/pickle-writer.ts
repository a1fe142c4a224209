// Writes the pickle of a dict of tensors, as torch does, in protocol 2.
import type { NamedArray } from "./states.js";
import { DTYPES, STORAGES } from "./torch-names.js";

/** The opcodes that are needed. */
const MARK = 0x28;
const TUPLE = 0x74;
const REDUCE = 0x52;
const NEWFALSE = 0x89;
const EMPTY_TUPLE = 0x29;

class Pickle {
  readonly #parts: number[] = [];

  codes(...codes: readonly number[]): this {
    for (const code of codes) this.#parts.push(code);
    return this;
  }

  #bytes(bytes: Uint8Array): this {
    for (const byte of bytes) this.#parts.push(byte);
    return this;
  }

  text(text: string): this {
    const bytes = new TextEncoder().encode(text);
    return this.codes(0x58, ...new Uint8Array(Uint32Array.of(bytes.length).buffer)).#bytes(bytes);
  }

  /** As an integer of 8 bytes, whatever it is. */
  integer(value: number): this {
    return this.codes(0x8a, 8, ...new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
  }

  global(module: string, name: string): this {
    return this.codes(0x63).#bytes(new TextEncoder().encode(`${module}\n${name}\n`));
  }

  tuple(sizes: readonly number[]): this {
    this.codes(MARK);
    for (const size of sizes) this.integer(size);
    return this.codes(TUPLE);
  }

  end(): Uint8Array {
    return Uint8Array.from(this.#parts);
  }
}

/** Types without a class of storages have storages of bytes, and say their type themselves. */
function writeTensor(pickle: Pickle, { name, dtype, shape, data }: NamedArray, key: number): void {
  const storage = STORAGES[dtype];
  pickle.text(name).global("torch._utils", storage === undefined ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
  pickle.codes(MARK, MARK).text("storage");
  if (storage === undefined) pickle.global("torch.storage", "UntypedStorage");
  else pickle.global("torch", storage);
  pickle
    .text(String(key))
    .text("cpu")
    .integer(storage === undefined ? data.byteLength : data.length);
  pickle.codes(TUPLE, 0x51).integer(0).tuple(shape).tuple(strides(shape)).codes(NEWFALSE);
  pickle.global("collections", "OrderedDict").codes(EMPTY_TUPLE, REDUCE);
  if (storage === undefined) pickle.global("torch", DTYPES[dtype]);
  pickle.codes(TUPLE, REDUCE);
}

/** Torch counts an axis of no elements as one of one. */
function strides(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * Math.max(size, 1), 1));
}

/** The pickle of a dict of arrays, whose storages have their numbers as keys. */
export function pickleOf(arrays: readonly NamedArray[]): Uint8Array {
  const pickle = new Pickle().codes(0x80, 2, 0x7d, MARK);
  arrays.forEach((array, key) => writeTensor(pickle, array, key));
  return pickle.codes(0x75, 0x2e).end();
}
