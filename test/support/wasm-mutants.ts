// The WASM module with one instruction changed: arithmetic, loads and stores, integers, and control.
import { wasmBase64 } from "../../src/backends/wasm/wasm-binary.js";
import { instructionsOf, withReplaced, type Instruction } from "./wasm-code.js";

export interface Mutant {
  /** What is changed to what, and where. */
  readonly name: string;
  readonly kind: string;
  /** Whether it is arithmetic on vectors: then it is always valid, and computes something else. */
  readonly isVector: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export function wasmBytes(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(wasmBase64(), "base64"));
}

interface Change {
  readonly name: string;
  readonly replacement: readonly number[];
}

const SIMD = 0xfd;
const EQZ = 0x45;
const DROP = 0x1a;

/** Opcodes, and what each becomes (core specification, 5.4). */
const OPCODES: Readonly<Record<number, readonly [to: number, name: string]>> = {
  0x46: [0x47, "i32.eq → ne"],
  0x47: [0x46, "i32.ne → eq"],
  0x48: [0x4c, "i32.lt_s → le_s"],
  0x49: [0x4d, "i32.lt_u → le_u"],
  0x4a: [0x4e, "i32.gt_s → ge_s"],
  0x4b: [0x4f, "i32.gt_u → ge_u"],
  0x4c: [0x48, "i32.le_s → lt_s"],
  0x4d: [0x49, "i32.le_u → lt_u"],
  0x4e: [0x4a, "i32.ge_s → gt_s"],
  0x4f: [0x4b, "i32.ge_u → gt_u"],
  0x61: [0x62, "f64.eq → ne"],
  0x62: [0x61, "f64.ne → eq"],
  0x63: [0x65, "f64.lt → le"],
  0x64: [0x66, "f64.gt → ge"],
  0x65: [0x63, "f64.le → lt"],
  0x66: [0x64, "f64.ge → gt"],
  0x6a: [0x6b, "i32.add → sub"],
  0x6b: [0x6a, "i32.sub → add"],
  0x6c: [0x6a, "i32.mul → add"],
  0x6e: [0x6c, "i32.div_u → mul"],
  0x70: [0x6e, "i32.rem_u → div_u"],
  0x71: [0x72, "i32.and → or"],
  0x72: [0x71, "i32.or → and"],
  0x74: [0x76, "i32.shl → shr_u"],
  0x76: [0x74, "i32.shr_u → shl"],
  0xa0: [0xa1, "f64.add → sub"],
  0xa1: [0xa0, "f64.sub → add"],
  0xa2: [0xa0, "f64.mul → add"],
  0xa3: [0xa2, "f64.div → mul"],
};

/** Opcodes behind the prefix of SIMD, each of two bytes. */
const VECTOR_OPERATIONS: Readonly<Record<number, readonly [to: number, name: string]>> = {
  0xe4: [0xe5, "f32x4.add → f32x4.sub"],
  0xe5: [0xe4, "f32x4.sub → f32x4.add"],
  0xe6: [0xe4, "f32x4.mul → f32x4.add"],
  0xf0: [0xf1, "f64x2.add → f64x2.sub"],
  0xf1: [0xf0, "f64x2.sub → f64x2.add"],
  0xf2: [0xf0, "f64x2.mul → f64x2.add"],
};

const STORES = new Set([0x36, 0x37, 0x38, 0x39, 0x3a, 0x3b]);

/** A load or a store 16 bytes further on: the last immediate that is not a lane is its offset. */
function moved(bytes: Uint8Array, { at, end, opcode, operation, immediates }: Instruction): Change[] {
  const isVector = opcode === SIMD && (operation <= 11 || operation === 92 || operation === 93);
  if (!isVector && !(opcode >= 0x28 && opcode <= 0x3e)) return [];
  const offset = bytes[immediates + 1]!;
  if (immediates + 2 !== end || offset >= 0x70) return [];
  const what = STORES.has(opcode) || (isVector && operation === 11) ? "store" : "load";
  return [{ name: `${what} moved`, replacement: [...bytes.subarray(at, end - 1), offset + 16] }];
}

function changesOf(bytes: Uint8Array, instruction: Instruction): Change[] {
  const { at, end, opcode, operation } = instruction;
  const own = bytes.subarray(at, end);
  const known = opcode === SIMD ? undefined : OPCODES[opcode];
  if (known) return [{ name: known[1], replacement: [known[0]] }];
  const vector = opcode === SIMD ? VECTOR_OPERATIONS[operation] : undefined;
  if (vector) return [{ name: vector[1], replacement: [SIMD, vector[0], 1] }];
  switch (opcode) {
    case 0x04:
      return [{ name: "if → if not", replacement: [EQZ, ...own] }];
    case 0x0d:
      return [
        { name: "br_if → never", replacement: [DROP] },
        { name: "br_if → always", replacement: [DROP, 0x0c, ...own.subarray(1)] },
      ];
    case 0x1b:
      return [{ name: "select → the other", replacement: [EQZ, opcode] }];
    case EQZ:
      return [{ name: "i32.eqz → none", replacement: [0x69] }]; // popcnt: 0 stays 0
    case 0x41: {
      // One byte of a signed number from −64 to 63.
      const isSmall = end - at === 2 && own[1] !== 0x3f;
      return isSmall ? [{ name: "i32.const + 1", replacement: [opcode, (own[1]! + 1) & 0x7f] }] : [];
    }
    default:
      return moved(bytes, instruction);
  }
}

/** Every mutant, of which most are valid modules: their bytes are made when they are asked for. */
export function wasmMutants(): Mutant[] {
  const original = wasmBytes();
  return instructionsOf(original).flatMap((instruction) =>
    changesOf(original, instruction).map(({ name, replacement }) => ({
      name: `${name} at byte ${instruction.at}`,
      kind: name,
      isVector: instruction.opcode === SIMD && name.includes("x"),
      get bytes() {
        return withReplaced(original, instruction, replacement);
      },
    })),
  );
}
