// The kernels run on a case of the self-check, and what they wrote: as a hash, the oracle's being in hashes.ts, or as
// copies. native/self_check/self_check.cc repeats the calls and the hash.
import { gradCoefficients } from "../../kernels/coefficients.js";
import { Flag, LANES, type FIELDS } from "../../kernels/layout.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { Case } from "./cases.js";
import type { Data, DType } from "../../base/types.js";
import type { Variant } from "./table.js";

const HALF = { infinity: 0x7c00, quiet: 0x7e00 };
const BFLOAT = { infinity: 0x7f80, quiet: 0x7fc0 };

/** Receives an array that a kernel has written, which the next one overwrites. */
type Visit = (name: string, values: Data) => void;

/** NaN, which no result is: an element that is not written shows. */
function blank(data: Data): Data {
  return data.fill(data instanceof Uint16Array ? 0xffff : NaN);
}

/** The same array, whose every NaN has one payload: the contract leaves it open. */
function withOneNaN(values: Data, dtype: DType): Data {
  if (values instanceof Uint16Array) {
    const { infinity, quiet } = dtype === "float16" ? HALF : BFLOAT;
    for (let i = 0; i < values.length; i++) if ((values[i]! & 0x7fff) > infinity) values[i] = quiet;
    return values;
  }
  const words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue;
    if (values instanceof Float32Array) words[i] = 0x7fc00000;
    else words.set([0, 0x7ff80000], 2 * i);
  }
  return values;
}

type Show = (kernel: string, names: readonly (typeof FIELDS)[number][], arrays: Record<string, Data>) => void;

/** From how many bytes outputs are written past the cache: it changes from row to row, and from variant to variant. */
function streamFrom(index: number): number {
  return index % 2 === 0 ? Infinity : 0;
}

/** Runs the kernels on a case and shows what each of them wrote, in order. */
function runCase(kernels: Kernels, test: Case, visit: Visit): void {
  const { control, x, dy, residual, w, variants } = test;
  const shown = (values: Data): Data => (test.data === "special" ? withOneNaN(values, test.dtype) : values);
  const show: Show = (kernel, names, arrays) => {
    for (const name of names) visit(`${kernel}: ${name}`, shown(control.fields[name]));
    for (const [name, values] of Object.entries(arrays)) visit(`${kernel}: ${name}`, shown(values));
  };
  kernels.moments(control, x, w);
  show("moments", ["mean", "m2"], { count: Float64Array.of(control.get("count")) });
  if (!variants) {
    kernels.gradSums(control, x, dy, null);
    show("gradSums", ["sumG", "sumGX"], {});
    return;
  }
  variants.forEach((variant, index) => runVariant(kernels, test, variant, test.number + index, show));
  const inputs = { x, dy, residual, ...(w && { w }) };
  show("inputs", [], inputs);
}

function runVariant(kernels: Kernels, test: Case, variant: Variant, index: number, show: Show): void {
  const { control, x, w, out, stored } = test;
  const residual = variant.hasResidual ? test.residual : null;
  control.set("flags", variant.flags);
  control.set("streamFrom", streamFrom(index));
  kernels.normalize(control, x, blank(out), residual);
  show("normalize", [], { y: out });
  control.set("streamFrom", streamFrom(index + 1));
  kernels.forward(control, x, blank(stored), residual, w);
  show("forward", ["mean", "m2", "invStd", "center", "scale", "shift"], { y: stored });
  runBackward(kernels, test, variant, index, show);
  if (!w) return;
  kernels.zeroMasked(control, x, blank(out), w);
  show("zeroMasked", [], { y: out });
}

function runBackward(kernels: Kernels, test: Case, { flags, hasResidual }: Variant, index: number, show: Show): void {
  const { control, x, dy, w, out, stored, dresidual } = test;
  const residualOrY = (flags & Flag.holdsY) !== 0 ? stored : hasResidual ? test.residual : null;
  const kept = (flags & Flag.fromOutput) !== 0 ? stored : x;
  kernels.gradSums(control, kept, dy, residualOrY);
  show("gradSums", ["sumG", "sumGX"], {});
  gradCoefficients(control);
  for (const [i, fixed] of [0, Flag.fixed].entries()) {
    control.set("flags", flags | fixed);
    control.set("streamFrom", streamFrom(index + i));
    kernels.gradInput(control, kept, dy, blank(out), residualOrY, blank(dresidual), w);
    show("gradInput", [], { dx: out, dresidual });
  }
  control.set("flags", flags);
  kernels.backward(control, kept, dy, blank(out), residualOrY, null, w);
  show("backward", ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"], { dx: out });
}

/** One step of a lane: a bijection of either argument, in which no two flipped signs cancel. */
function step(hash: number, word: number): number {
  hash = (hash + word) | 0;
  hash ^= hash << 13;
  return hash ^ (hash >>> 17);
}

function addTo(lanes: Int32Array, values: Data): void {
  const words = new Int32Array(values.buffer, values.byteOffset, values.byteLength >> 2);
  for (let i = 0; i < words.length; i++) lanes[i % LANES] = step(lanes[i % LANES]!, words[i]!);
  // The last of an odd number of 16-bit elements.
  const at = words.length % LANES;
  if (values.byteLength % 4 !== 0) lanes[at] = step(lanes[at]!, values[values.length - 1]!);
}

/** A hash over the bits of all that the kernels write, 32 at a time: in 16 lanes, which are vectors in the addon. */
export function hashOf(kernels: Kernels, test: Case): number {
  const lanes = new Int32Array(LANES);
  runCase(kernels, test, (_, values) => addTo(lanes, values));
  return lanes.reduce(step, 0) >>> 0;
}

/** A copy of all that the kernels write, in order. */
export function resultsOf(kernels: Kernels, test: Case): (readonly [name: string, values: Data])[] {
  const results: (readonly [string, Data])[] = [];
  runCase(kernels, test, (name, values) => results.push([name, values.slice()]));
  return results;
}
