// The kernels run on a case of the self-check, and what they wrote: as a hash, the oracle's being in self-check.ts, or as
// copies.
import { affineCoefficients, batchInvStd, gradCoefficients } from "../../kernels/coefficients.js";
import { Flag, type FIELDS } from "../../kernels/layout.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { Case } from "./cases.js";
import type { Data } from "../../base/types.js";

/** Receives an array that a kernel has written, which the next one overwrites. */
type Visit = (name: string, values: Data) => void;

/** NaN, which no result is: an element that is not written shows. */
function blank(data: Data): Data {
  return data.fill(data instanceof Uint16Array ? 0xffff : NaN);
}

type Show = (kernel: string, names: readonly (typeof FIELDS)[number][], arrays: Record<string, Data>) => void;

/** Runs the kernels on a case and shows what each of them wrote, in order. */
function runCase(kernels: Kernels, test: Case, visit: Visit): void {
  const { control, extent, flags, x, dy, w, stored } = test;
  const residual = test.hasResidual ? test.residual : null;
  const show: Show = (kernel, names, arrays) => {
    for (const name of names) visit(`${kernel}: ${name}`, control.fields[name]);
    for (const name in arrays) visit(`${kernel}: ${name}`, arrays[name]!);
  };
  control.set("count", extent.outer * extent.inner);
  control.set("flags", flags);
  control.set("streamFrom", Infinity);
  // Flags mean nothing to moments: once an extent.
  if (flags === 0) {
    kernels.moments(control, x, w);
    show("moments", ["mean", "m2"], { count: Float64Array.of(control.get("count")) });
  }
  batchInvStd(control);
  affineCoefficients(control);
  if (test.isLong) {
    kernels.gradSums(control, x, dy, null);
    show("gradSums", ["sumG", "sumGX"], {});
    return;
  }
  kernels.normalize(control, x, blank(test.out), residual);
  show("normalize", [], { y: test.out });
  // Past the cache, as a large tensor: native kernels then work tile by tile.
  control.set("streamFrom", 0);
  kernels.forward(control, x, blank(stored), residual, w);
  show("forward", ["mean", "m2", "invStd", "center", "scale", "shift"], { y: stored });
  runBackward(kernels, test, show, residual);
}

function runBackward(kernels: Kernels, test: Case, show: Show, residual: Data | null): void {
  const { control, x, dy, w, out, stored, dresidual, flags } = test;
  const residualOrY = (flags & Flag.holdsY) !== 0 ? stored : residual;
  const kept = (flags & Flag.fromOutput) !== 0 ? stored : x;
  kernels.gradSums(control, kept, dy, residualOrY);
  show("gradSums", ["sumG", "sumGX"], {});
  gradCoefficients(control);
  control.set("streamFrom", Infinity);
  for (const fixed of [0, Flag.fixed]) {
    control.set("flags", flags | fixed);
    kernels.gradInput(control, kept, dy, blank(out), residualOrY, blank(dresidual), w);
    show("gradInput", [], { dx: out, dresidual });
  }
  control.set("flags", flags);
  control.set("streamFrom", 0);
  kernels.backward(control, kept, dy, blank(out), residualOrY, null, w);
  show("backward", ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"], { dx: out });
  if (!w) return;
  kernels.zeroMasked(control, x, blank(out), w);
  show("zeroMasked", [], { y: out });
}

/** FNV-1a over the bits of all that the kernels write, 32 or 16 at a time. */
export function hashOf(kernels: Kernels, test: Case): number {
  let hash = 0x811c9dc5;
  runCase(kernels, test, (_, values) => {
    const is16Bit = values instanceof Uint16Array;
    const words = is16Bit ? values : new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  });
  return hash >>> 0;
}

/** A copy of all that the kernels write, in order. */
export function resultsOf(kernels: Kernels, test: Case): (readonly [name: string, values: Data])[] {
  const results: (readonly [string, Data])[] = [];
  runCase(kernels, test, (name, values) => results.push([name, values.slice()]));
  return results;
}
