// Calls at the addon's own entry points, which the library does not make: every kernel and traversal on every shape at a
// border of the kernels' own arrays. node every-shape.js ADDON EVERY SEED SET…; one call in EVERY is made.
// Those whose traversal is the shape's return, all others are refused. What returns is for a sanitizer to watch: arrays end
// where their memory ends, and the header asks for what a call may ask for. Prints a tally.
import { controlLength, traversalOf, type Extent } from "../../src/kernels/control.js";
import { Flag, Slot, Storage, Traversal } from "../../src/kernels/layout.js";
import { KERNEL_NAMES, type KernelName } from "../../src/kernels/operands.js";
import { DTYPES, isStoredIn16Bits, type DType } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import { entryOperandsOf, loadSets, writeHeader } from "../support/addon.js";
import type { AddonKernels } from "../support/addon-kernels.js";

/** Around a vector's 16 lanes, few columns, a tile's and a panel's channels, and the rows that are laid out at a time. */
const CHANNELS = [0, 1, 2, 3, 5, 8, 15, 16, 17, 33, 101, 260, 1030, 2050];
/** Around 16 lanes, runs of a tile, and a block of 2048. */
const INNER = [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 96, 257, 1024, 2049];
/** Around the 16 rows of a row of the matrix, a block of 128 rows, and a group of these. */
const OUTER = [0, 1, 2, 3, 15, 16, 17, 40, 129, 2049, 4100];
const MOST_ELEMENTS = 2 ** 14;
type TypedArray = Float32Array | Float64Array | Uint16Array;
const TRAVERSALS = Object.values(Traversal);

const [path, every, seed, ...names] = process.argv.slice(2);
if (path === undefined) throw new RangeError("usage: node every-shape.js ADDON EVERY SEED SET…");
const next = random(Number(seed));
const below = (count: number): number => Math.floor(next() * count);
const one = <T>(values: readonly T[]): T => values[below(values.length)]!;

/** Values to copy from: ordinary ones, and such that float32 sums are lost and done again; 16 bits of any kind; weights. */
const VALUES = [1, 1, 1, 1e30, 1e-30, 0, NaN].map((scale) =>
  Float32Array.from({ length: MOST_ELEMENTS }, () => scale * (next() - 0.5)),
);
const BITS = Uint16Array.from({ length: MOST_ELEMENTS }, () => below(2 ** 16));
const WEIGHTS = [2, 3].map((count) => Float32Array.from({ length: MOST_ELEMENTS }, () => count - 1 - below(count)));

/** An array that ends with its memory, and may begin anywhere in a line. */
function array(dtype: DType, length: number, values: TypedArray): TypedArray {
  const Type = isStoredIn16Bits(dtype) ? Uint16Array : dtype === "float64" ? Float64Array : Float32Array;
  const lead = below(3);
  const data = new Type(new ArrayBuffer((lead + length) * Type.BYTES_PER_ELEMENT), lead * Type.BYTES_PER_ELEMENT);
  data.set(values.subarray(0, length));
  return data;
}

/** As long as the traversal of the shape needs: a header that is not refused would be followed. */
function control(extent: Extent, traversal: Traversal, dtype: DType): Float64Array {
  const block = new Float64Array(controlLength(extent)).fill(1);
  writeHeader(block, extent, traversal);
  block[Slot.flags] = below(32);
  block[Slot.slope] = 0.25;
  block[Slot.storage] = isStoredIn16Bits(dtype) ? Storage[dtype] : Storage.own;
  block[Slot.threads] = one([1, 3]);
  block[Slot.streamFrom] = one([0, Infinity]);
  return block;
}

function argumentsOf({ name, extent, traversal, dtype }: Call): [Float64Array, ...unknown[]] {
  const { outer, channels, inner } = extent;
  const block = control(extent, traversal, dtype);
  const stored = Flag.activation | Flag.holdsY;
  const holdsOutput = (block[Slot.flags]! & stored) === stored;
  const operands = entryOperandsOf(name).map(({ name: operand, role, isOptional }) => {
    const isNeeded = !isOptional || (operand === "residualOrY" && holdsOutput);
    if (!isNeeded && next() < 0.4) return null;
    if (role === "weights") return array(dtype === "float64" ? dtype : "float32", outer * inner, one(WEIGHTS));
    return array(dtype, outer * channels * inner, isStoredIn16Bits(dtype) ? BITS : one(VALUES));
  });
  return [block, ...operands];
}

const EXTENTS: readonly Extent[] = OUTER.flatMap((outer) =>
  CHANNELS.flatMap((channels) => INNER.map((inner) => ({ outer, channels, inner }))),
).filter(({ outer, channels, inner }) => Math.max(outer, 1) * Math.max(channels, 1) * inner <= MOST_ELEMENTS);

interface Call {
  readonly extent: Extent;
  readonly traversal: Traversal;
  readonly dtype: DType;
  readonly name: KernelName;
}

/** One in EVERY of all there are. */
function* callsOf(has16Bit: boolean): Generator<Call> {
  const dtypes = DTYPES.filter((dtype) => has16Bit || !isStoredIn16Bits(dtype));
  for (const extent of EXTENTS)
    for (const traversal of TRAVERSALS)
      for (const dtype of dtypes)
        for (const name of KERNEL_NAMES) if (below(Number(every)) === 0) yield { extent, traversal, dtype, name };
}

const tally = { calls: 0, returned: 0, refused: 0 };
/** Calls that ended otherwise than they must. The others are made nevertheless, for a sanitizer to see what they do. */
const wrong: string[] = [];

function make(kernels: AddonKernels, call: Call): void {
  let message = "returned";
  try {
    kernels[call.name](...argumentsOf(call));
    tally.returned++;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    message = error.message;
    tally.refused++;
  }
  tally.calls++;
  const isExpected =
    call.traversal === traversalOf(call.extent)
      ? message === "returned"
      : message.endsWith("are not traversed like this");
  if (!isExpected) wrong.push(`${JSON.stringify(call)}: ${message}`);
}

for (const [name, kernels] of loadSets(path)) {
  if (names.length > 0 && !names.includes(name)) continue;
  for (const call of callsOf(kernels.has16Bit)) make(kernels, call);
}
if (wrong.length > 0) throw new Error(`${wrong.length} calls are wrong: ${wrong.slice(0, 10).join("\n")}`);
console.log(JSON.stringify(tally));
