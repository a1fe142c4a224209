// Run in a process of its own: seeded random arguments at the addon's entry points. Every array lies in one arena,
// whose every byte outside what the call may write is compared after it. Prints the tally.
import { traversalOf, type Extent } from "../../src/kernels/control.js";
import { Slot, type Traversal } from "../../src/kernels/layout.js";
import { KERNEL_NAMES, type KernelName } from "../../src/kernels/operands.js";
import { random } from "../../src/verify/data.js";
import { blockLength, entryOperandsOf, loadSets, writeHeader } from "./addon.js";

const [path, runs, seed, only] = process.argv.slice(2) as [string, string, string, string?];
const next = random(Number(seed));
const chance = (probability: number): boolean => next() < probability;
const below = (limit: number): number => Math.floor(next() * limit);
const one = <T>(values: readonly T[]): T => values[below(values.length)]!;

const ARENA = 1 << 16;
/** Two arenas: memory of one thread, and shared memory. */
const arenas = [new ArrayBuffer(ARENA), new SharedArrayBuffer(ARENA)].map((memory) => ({
  memory: memory as ArrayBuffer,
  bytes: Buffer.from(memory as ArrayBuffer),
  /** What the arena must hold. */
  expected: Buffer.alloc(ARENA),
}));
for (const { bytes, expected } of arenas) {
  for (let i = 0; i < ARENA; i++) bytes[i] = below(256);
  expected.set(bytes);
}
type Arena = (typeof arenas)[number];

const JUNK: readonly unknown[] = [
  undefined,
  null,
  0,
  "x",
  {},
  [],
  1n,
  new Int32Array(64),
  new DataView(new ArrayBuffer(64)),
  new ArrayBuffer(64),
  new Float32Array(0),
  new Float64Array(0),
];
const NUMBERS = [
  0,
  -0,
  1,
  2,
  3,
  7,
  15,
  16,
  17,
  0.5,
  -1,
  NaN,
  Infinity,
  2 ** 31,
  2 ** 32,
  2 ** 52,
  2 ** 53,
  2 ** 63,
  1e300,
];

function randomExtent(): Extent {
  return { outer: below(chance(0.1) ? 40 : 6), channels: below(6), inner: one([0, 1, 2, 5, 15, 16, 17, 33, 100]) };
}

/** Memory given up or out of bounds: views that hold less than they did. */
function spoilt(Type: typeof Float32Array | typeof Float64Array, length: number): unknown {
  const Resizable = ArrayBuffer as unknown as new (
    size: number,
    options: object,
  ) => ArrayBuffer & { resize(n: number): void };
  const buffer = new Resizable(length * 8, { maxByteLength: length * 16 });
  const view = chance(0.5) ? new Type(buffer) : new Type(buffer, 0, length);
  if (chance(0.3)) structuredClone(view, { transfer: [buffer] });
  else buffer.resize(below(length * 16));
  return view;
}

interface Call {
  readonly name: KernelName;
  readonly arena: Arena;
  readonly extent: Extent;
  readonly traversal: Traversal;
  readonly control: Float64Array;
  readonly args: unknown[];
}

/** Control block in front, operands behind it; now and then anywhere, of any length, or no arrays. */
function randomCall(): Call {
  const name = one(KERNEL_NAMES);
  const arena = one(arenas);
  const extent = randomExtent();
  const traversal = chance(0.1) ? one<Traversal>([0, 1, 2]) : traversalOf(extent);
  const exact = blockLength(extent);
  const length = Math.min(exact + (chance(0.05) ? below(9) - 4 : 0), ARENA / 8 - 64);
  const control = new Float64Array(arena.memory, 8 * below(64), Math.max(0, length));
  if (control.length >= 16) {
    writeHeader(control, extent, traversal);
    control[Slot.flags] = below(32);
    control[Slot.slope] = below(2) / 4;
    if (chance(0.1)) control[one(Object.values(Slot))] = one(NUMBERS);
  }
  const Type = one([Float32Array, Float64Array]);
  const size = extent.outer * extent.channels * extent.inner;
  let free = control.byteOffset + control.byteLength;
  const operands = entryOperandsOf(name).map(({ role, isOptional }): unknown => {
    if (isOptional && chance(0.4)) return chance(0.5) ? null : undefined;
    if (chance(0.02)) return one(JUNK);
    if (chance(0.02)) return spoilt(Type, size + 1);
    const View = chance(0.02) ? one([Float32Array, Float64Array]) : Type;
    const whole = role === "weights" ? extent.outer * extent.inner : size;
    const count = Math.max(0, whole + (chance(0.03) ? below(5) - 3 : chance(0.2) ? below(5) : 0));
    const start = chance(0.1) ? 8 * below(ARENA / 8) : Math.ceil(free / 8) * 8 + View.BYTES_PER_ELEMENT * below(9);
    if (start + count * View.BYTES_PER_ELEMENT > ARENA) return null;
    if (!chance(0.1)) free = start + count * View.BYTES_PER_ELEMENT;
    return new View(arena.memory, start, count);
  });
  const args: unknown[] = [chance(0.01) ? one(JUNK) : control, ...operands];
  if (chance(0.01)) args.length = below(args.length + 3);
  return { name, arena, extent, traversal, control, args };
}

/** The arena's new bytes where a call may write become what it must hold. */
function allow({ expected, bytes }: Arena, start: number, end: number): void {
  expected.set(bytes.subarray(start, end), start);
}

function allowOutputs({ name, arena, control, args }: Call, header: Float64Array): void {
  const [outer, channels, inner] = header as unknown as [number, number, number];
  const extent = { outer, channels, inner };
  allow(arena, control.byteOffset, control.byteOffset + 8 * blockLength(extent));
  entryOperandsOf(name).forEach(({ role }, i) => {
    const view = args[i + 1];
    if (role !== "output" || !ArrayBuffer.isView(view) || view.buffer !== arena.memory) return;
    const size = outer * channels * inner * (view as Float32Array).BYTES_PER_ELEMENT;
    allow(arena, view.byteOffset, view.byteOffset + size);
  });
}

const sets = loadSets(path).filter(([name]) => only === undefined || name === only);
const tally: Record<string, number> = { results: 0, errors: 0, escapes: 0 };
const messages = new Set<string>();
for (let run = 0; run < Number(runs); run++) {
  const call = randomCall();
  const { name, arena, control, args } = call;
  arena.expected.set(arena.bytes);
  const header = control.slice(0, 16);
  const [set, kernels] = one(sets);
  try {
    (kernels[name] as (...args: unknown[]) => void)(...args);
    tally.results!++;
    allowOutputs(call, header);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    tally.errors!++;
    messages.add(error.message.replace(/\d+/g, "#"));
  }
  if (!arena.bytes.equals(arena.expected)) {
    tally.escapes!++;
    console.error(`run ${run}: ${set} ${name} of [${header.join(", ")}] wrote outside of its arrays`);
  }
}
console.log(JSON.stringify({ ...tally, messages: [...messages].sort() }));
