// The WASM module with one opcode changed, for every SIMD operation in its code.
import { wasmBase64 } from "../../src/backends/wasm/wasm-binary.js";

/** Opcodes behind the SIMD prefix 0xfd, and what each is changed to (WebAssembly core specification, 5.4.7). */
const CHANGES = new Map([
  [0xe4, { to: 0xe5, name: "f32x4.add → f32x4.sub" }],
  [0xe5, { to: 0xe4, name: "f32x4.sub → f32x4.add" }],
  [0xe6, { to: 0xe4, name: "f32x4.mul → f32x4.add" }],
  [0xf0, { to: 0xf1, name: "f64x2.add → f64x2.sub" }],
  [0xf1, { to: 0xf0, name: "f64x2.sub → f64x2.add" }],
  [0xf2, { to: 0xf0, name: "f64x2.mul → f64x2.add" }],
]);

export interface Mutant {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export function wasmBytes(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(wasmBase64, "base64"));
}

/** Opcodes from 0x80 on take two bytes (LEB128): the prefix, the opcode, 0x01. */
export function wasmMutants(): Mutant[] {
  const original = wasmBytes();
  const mutants: Mutant[] = [];
  for (let at = 0; at + 2 < original.length; at++) {
    const change = original[at] === 0xfd && original[at + 2] === 0x01 ? CHANGES.get(original[at + 1]!) : undefined;
    if (!change) continue;
    const bytes = original.slice();
    bytes[at + 1] = change.to;
    if (WebAssembly.validate(bytes)) mutants.push({ name: `${change.name} at byte ${at}`, bytes });
  }
  return mutants;
}
