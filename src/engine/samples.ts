// A forward whose γ and β differ from sample to sample: statistics of the whole batch, then a normalization of each sample.
import { copyInto, fill, partsOf, zeros } from "../base/arrays.js";
import { inTurn, type Later } from "../base/later.js";
import { invStds } from "../kernels/coefficients.js";
import type { Control, Statistics } from "../kernels/control.js";
import { samplesOf, type GivenTables, type SampleTables } from "../values/sample-tables.js";
import type { RenormTables } from "../values/saved.js";
import { setActivation } from "./activation.js";
import type { ForwardArrays } from "./forward.js";
import type { Workspace } from "./workspace.js";

/** γ·r and β + γ·d in the place of γ and β. */
export function applyRenorm(weight: Float64Array, bias: Float64Array, { r, d }: RenormTables): void {
  for (let c = 0; c < weight.length; c++) {
    // β alone where d is 0: β + 0 could be another zero.
    if (d[c] !== 0) bias[c]! += weight[c]! * d[c]!;
    weight[c]! *= r[c]!;
  }
}

/**
 * The tables of all samples. Those that were not given repeat `weight` and `bias` of the channels, which become 1 and 0: the
 * tables stand in their place.
 */
export function tablesOfSamples(
  channels: Pick<Statistics, "weight" | "bias">,
  { samples, ...given }: GivenTables,
  renorm: RenormTables | null,
): SampleTables {
  const { length } = channels.weight;
  const tableOf = (name: "weight" | "bias"): Float64Array => {
    const table = zeros(samples * length);
    if (given[name]) copyInto(table, given[name]);
    else for (let n = 0; n < samples; n++) copyInto(table, channels[name], n * length);
    return table;
  };
  const [weight, bias] = [tableOf("weight"), tableOf("bias")];
  const row = (table: Float64Array, n: number): Float64Array => partsOf(table)(n * length, length) as Float64Array;
  if (renorm) for (let n = 0; n < samples; n++) applyRenorm(row(weight, n), row(bias, n), renorm);
  fill(channels.weight, 1);
  fill(channels.bias, 0);
  return { weight, bias, hasWeight: given.weight !== null, hasBias: given.bias !== null };
}

/** The tables of the batch that the calls of its samples have too. */
const SHARED = ["slope", "mean", "m2", "invStd"] as const;

/**
 * Repeats the tables of the channels in a control block of several samples side by side. Returns their number.
 */
export function repeatForSamples({ fields, extent }: Control, channels: number): number {
  const samples = extent.channels / channels;
  for (const name of SHARED) {
    const first = partsOf(fields[name])(0, channels);
    for (let n = 1; n < samples; n++) copyInto(fields[name], first, n * channels);
  }
  return samples;
}

/** Normalizes each sample with the statistics in the control block of the batch, which gets their r. */
export function normalizeSamples(
  workspace: Workspace,
  arrays: ForwardArrays,
  { weight, bias }: SampleTables,
): Later<void> {
  const { kernels, control } = workspace;
  const { plan, conditional } = arrays;
  const { samples } = conditional!;
  invStds(control);
  const own = workspace.controlOfSamples(samples);
  for (const slot of ["count", "eps"] as const) own.set(slot, control.get(slot));
  setActivation(own, arrays.activation);
  copyInto(own.fields.mean, control.fields.mean);
  copyInto(own.fields.m2, control.fields.m2);
  const together = repeatForSamples(own, plan.channels);
  const each = (plan.size / samples) * together;
  const [xOf, yOf, residualOf] = [
    samplesOf(arrays.x, each),
    samplesOf(arrays.y, each),
    samplesOf(arrays.residual, each),
  ];
  const rows = own.extent.channels;
  const [weightOf, biasOf] = [samplesOf(weight, rows), samplesOf(bias, rows)];
  return inTurn(Array(samples / together).keys(), (n) => {
    copyInto(own.fields.weight, weightOf(n));
    copyInto(own.fields.bias, biasOf(n));
    return kernels.normalize(own, xOf(n), yOf(n), residualOf(n));
  });
}
