// The kernels run on a case of the self-check, and what they wrote: as a hash, the oracle's being in self-check.ts, or as
// copies.
import { affineCoefficients, batchInvStd, gradCoefficients } from "../../kernels/coefficients.js";
import { Flag, Part, type FIELDS } from "../../kernels/control.js";
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

/** Runs every kernel that a case is about and shows what each of them wrote, in order. */
function runCase(kernels: Kernels, test: Case, visit: Visit): void {
  const { control, extent, flags } = test;
  const show: Show = (kernel, names, arrays) => {
    for (const name of names) visit(`${kernel}: ${name}`, control.fields[name]);
    for (const name in arrays) visit(`${kernel}: ${name}`, arrays[name]!);
  };
  control.set("count", extent.outer * extent.inner);
  control.set("flags", flags);
  const run = test.isWeighted ? runWeighted : runPlain;
  run(kernels, test, show, test.hasResidual ? test.residual : null);
}

function runPlain(kernels: Kernels, test: Case, show: Show, residual: Data | null): void {
  const { control, x, dy, stored, dresidual, flags } = test;
  control.set("streamFrom", Infinity);
  // Flags mean nothing to moments: once an extent.
  if (flags === 0) {
    // x and dy as two parts: the second call merges its blocks into the state of the first.
    control.set("part", Part.first);
    kernels.moments(control, x);
    control.set("part", Part.last);
    kernels.moments(control, dy);
    show("moments", ["mean", "m2"], {});
    control.set("part", Part.whole);
  }
  batchInvStd(control);
  affineCoefficients(control);
  kernels.normalize(control, x, blank(test.out), residual);
  show("normalize", [], { y: test.out });
  // Past the cache, as a large tensor: native kernels then work tile by tile.
  control.set("streamFrom", 0);
  kernels.forward(control, x, blank(stored), residual);
  show("forward", ["mean", "m2", "invStd", "center", "scale", "shift"], { y: stored });

  const aux = (flags & Flag.auxIsOutput) !== 0 ? stored : residual;
  const kept = (flags & Flag.inverse) !== 0 ? stored : x;
  kernels.gradSums(control, kept, dy, aux);
  show("gradSums", ["sumG", "sumGX"], {});
  gradCoefficients(control);
  control.set("streamFrom", Infinity);
  for (const frozen of [0, Flag.frozen]) {
    control.set("flags", flags | frozen);
    kernels.gradInput(control, kept, dy, blank(test.out), aux, blank(dresidual));
    show("gradInput", [], { dx: test.out, dresidual });
  }
  control.set("flags", flags);
  control.set("streamFrom", 0);
  kernels.backward(control, kept, dy, blank(test.out), aux, null);
  show("backward", ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"], { dx: test.out });
}

function runWeighted(kernels: Kernels, test: Case, show: Show, residual: Data | null): void {
  const { control, x, dy, w, stored, dresidual, out } = test;
  control.set("streamFrom", Infinity);
  control.set("part", Part.first);
  kernels.weightedMoments(control, x, w);
  control.set("part", Part.last);
  kernels.weightedMoments(control, dy, w);
  show("weightedMoments", ["mean", "m2"], { count: Float64Array.of(control.get("count")) });
  control.set("part", Part.whole);
  kernels.weightedForward(control, x, blank(stored), residual, w);
  show("weightedForward", ["mean", "m2", "shift"], { y: stored });
  control.set("streamFrom", 0);
  kernels.weightedBackward(control, x, dy, blank(out), residual, null, w);
  show("weightedBackward", ["gradShift", "gradSlope"], { dx: out });
  kernels.weightedGradInput(control, x, dy, blank(out), residual, blank(dresidual), w);
  show("weightedGradInput", [], { dx: out, dresidual });
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
