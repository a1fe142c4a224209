// The kernels run on a case of the self-check, and what they wrote: as a hash, the oracle's being in hashes.ts, or as
// copies. native/self_check/self_check.cc repeats the calls and the hash.
import type { Control } from "../../kernels/control.js";
import { Flag, type Field } from "../../kernels/layout.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { Case } from "./cases.js";
import type { Data } from "../../base/types.js";
import type { Variant } from "./table.js";

/** Receives what a kernel has written, which the next one overwrites: fields of the control block, then arrays. */
interface Visit {
  fields(kernel: string, control: Control, names: readonly Field[]): void;
  array(kernel: string, name: string, values: Data): void;
}

const SUMS = ["sumG", "sumGX"] as const;
const STATISTICS = ["mean", "m2", "invStd", "center", "scale", "shift"] as const;
const MOMENTS = ["mean", "m2"] as const;
const GRADIENTS = ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"] as const;

/** NaN, which no result is: an element that is not written shows. */
function blank(data: Data): Data {
  return data.fill(data instanceof Uint16Array ? 0xffff : NaN);
}

/** From how many bytes outputs are written past the cache: it changes from row to row, and from variant to variant. */
function streamFrom(index: number): number {
  return index % 2 === 0 ? Infinity : 0;
}

/** Where every NaN gets one payload, before it is visited. */
function unified(visit: Visit, { tools, dtype }: Case): Visit {
  return {
    fields: (kernel, control, names) => {
      for (const name of names) tools.unifyNaN(control.fields[name], dtype);
      visit.fields(kernel, control, names);
    },
    array: (kernel, name, values) => {
      tools.unifyNaN(values, dtype);
      visit.array(kernel, name, values);
    },
  };
}

/** Runs the kernels on a case and shows what each of them wrote, in order. */
function runCase(kernels: Kernels, test: Case, visit: Visit): void {
  const { control, x, dy, residual, w, variants } = test;
  kernels.moments(control, x, w);
  visit.fields("moments", control, MOMENTS);
  visit.array("moments", "count", Float64Array.of(control.get("count")));
  if (!variants) {
    kernels.gradSums(control, x, dy, null);
    visit.fields("gradSums", control, SUMS);
    return;
  }
  for (let i = 0; i < variants.length; i++) runVariant(kernels, test, variants[i]!, test.number + i, visit);
  visit.array("inputs", "x", x);
  visit.array("inputs", "dy", dy);
  visit.array("inputs", "residual", residual);
  if (w) visit.array("inputs", "w", w);
}

function runVariant(kernels: Kernels, test: Case, variant: Variant, index: number, visit: Visit): void {
  const { control, x, w, out, stored } = test;
  const residual = variant.hasResidual ? test.residual : null;
  control.set("flags", variant.flags);
  control.set("kind", variant.kind);
  control.set("streamFrom", streamFrom(index));
  kernels.normalize(control, x, blank(out), residual);
  visit.array("normalize", "y", out);
  control.set("streamFrom", streamFrom(index + 1));
  kernels.forward(control, x, blank(stored), residual, w);
  visit.fields("forward", control, STATISTICS);
  visit.array("forward", "y", stored);
  runBackward(kernels, test, variant, index, visit);
  if (!w) return;
  kernels.zeroMasked(control, x, blank(out), w);
  visit.array("zeroMasked", "y", out);
}

function runBackward(kernels: Kernels, test: Case, { flags, hasResidual }: Variant, index: number, visit: Visit): void {
  const { control, x, dy, w, out, stored, dresidual } = test;
  const residualOrY = (flags & Flag.holdsY) !== 0 ? stored : hasResidual ? test.residual : null;
  const kept = (flags & Flag.fromOutput) !== 0 ? stored : x;
  kernels.gradSums(control, kept, dy, residualOrY);
  visit.fields("gradSums", control, SUMS);
  test.tools.gradients(control);
  for (let i = 0; i < 2; i++) {
    control.set("flags", i === 0 ? flags : flags | Flag.fixed);
    control.set("streamFrom", streamFrom(index + i));
    kernels.gradInput(control, kept, dy, blank(out), residualOrY, blank(dresidual), w);
    visit.array("gradInput", "dx", out);
    visit.array("gradInput", "dresidual", dresidual);
  }
  control.set("flags", flags);
  kernels.backward(control, kept, dy, blank(out), residualOrY, null, w);
  visit.fields("backward", control, GRADIENTS);
  visit.array("backward", "dx", out);
}

function visitCase(kernels: Kernels, test: Case, visit: Visit): void {
  runCase(kernels, test, test.data === "special" ? unified(visit, test) : visit);
}

/** A hash over the bits of all that the kernels write. */
export function hashOf(kernels: Kernels, test: Case): number {
  const { tools } = test;
  const fields: Visit["fields"] = (_kernel, control, names) => {
    tools.addFields(control, names);
  };
  const array: Visit["array"] = (_kernel, _name, values) => {
    tools.add(values);
  };
  visitCase(kernels, test, { fields, array });
  return tools.digest();
}

/** A copy of all that the kernels write, in order. */
export function resultsOf(kernels: Kernels, test: Case): (readonly [name: string, values: Data])[] {
  const results: (readonly [string, Data])[] = [];
  const array: Visit["array"] = (kernel, name, values) => results.push([`${kernel}: ${name}`, values.slice()]);
  const fields: Visit["fields"] = (kernel, control, names) => {
    for (const name of names) array(kernel, name, control.fields[name]);
  };
  visitCase(kernels, test, { fields, array });
  return results;
}
