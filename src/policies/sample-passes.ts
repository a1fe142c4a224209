// Passes over the samples of a conditional batch normalization: a call of a kernel for each of them, or one for all of them
// side by side.
import { copyInto, zeros } from "../base/arrays.js";
import { after, inTurn, type Later } from "../base/later.js";
import { round, type Data } from "../base/types.js";
import type { GradSums } from "../engine/backward.js";
import type { Counting } from "../engine/masked.js";
import { residualOrYOf, restore } from "../engine/restore.js";
import { repeatForSamples } from "../engine/samples.js";
import type { Workspace } from "../engine/workspace.js";
import type { Control } from "../kernels/control.js";
import { Kind } from "../kernels/layout.js";
import { samplesOf, type SampleTables } from "../values/sample-tables.js";
import { sizeOf, type Saved } from "../values/saved.js";

/** The token of such a forward. */
export type Conditional = Saved & { readonly conditional: SampleTables };

/** The calls of a kernel on samples: on each of them alone, or on all of them side by side. */
interface SampleCalls {
  readonly own: Control;
  /** Elements of the operands of one call. */
  readonly each: number;
  /** Goes through the calls, with their γ and β in the control block. */
  readonly through: (isFixed: boolean) => Generator<number>;
}

function callsOf(workspace: Workspace, saved: Conditional): SampleCalls {
  const { shape, channels, conditional } = saved;
  const samples = shape[0]!;
  const own = workspace.controlOfSamples(samples);
  const rows = own.extent.channels;
  const calls = (samples * channels) / rows;
  const [weightOf, biasOf] = [samplesOf(conditional.weight, rows), samplesOf(conditional.bias, rows)];
  function* through(isFixed: boolean): Generator<number> {
    restore(own, saved, isFixed);
    repeatForSamples(own, channels);
    for (let n = 0; n < calls; n++) {
      copyInto(own.fields.weight, weightOf(n));
      copyInto(own.fields.bias, biasOf(n));
      yield n;
    }
  }
  return { own, each: sizeOf(saved) / calls, through };
}

/** The sums behind the gradients of the slopes of a PReLU: those of the samples, in their order. */
export function slopeSumsOfSamples(workspace: Workspace, saved: Conditional, { x, dy }: Counting): Later<Float64Array> {
  const { own, each, through } = callsOf(workspace, saved);
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const { sumG } = own.fields;
  const total = zeros(saved.channels);
  const ran = inTurn(through(saved.fixedStatistics), (n) => {
    own.set("kind", Kind.slopeGradient);
    return after(workspace.kernels.gradSums(own, xOf(n), dyOf(n), otherOf(n)), () => {
      for (let at = 0; at < sumG.length;) for (let c = 0; c < total.length; c++) total[c]! += sumG[at++]!;
    });
  });
  return after(ran, () => total);
}

/** What a pass over the samples writes: g·T(γ·factor) of each, and g itself. Without a factor it is g alone. */
export interface Scaling {
  readonly factor: Float64Array | null;
  readonly to: Data;
  /** Whether that is read at once by the next pass, so that it is better in the cache. */
  readonly isReadNext: boolean;
  readonly dresidual: Data | null;
}

/** Writes what is asked for. With `sums`, a table with a row for each sample, it fills these in the same pass. */
export function scaleSamples(
  workspace: Workspace,
  saved: Conditional,
  { x, dy }: Counting,
  { factor, to, isReadNext, dresidual }: Scaling,
  sums: GradSums | null,
): Later<void> {
  const { kernels } = workspace;
  const { own, each, through } = callsOf(workspace, saved);
  const { weight, invStd, gradScale } = own.fields;
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const [toOf, dresidualOf] = [samplesOf(to, each), samplesOf(dresidual, each)];
  const streamFrom = own.get("streamFrom");
  // Past the cache only if that would hold no array of them.
  if (isReadNext) own.set("streamFrom", 2 * streamFrom);
  const ran = inTurn(through(true), (n) => {
    if (sums) {
      // Without activation r has no part but in the scale, which the kernel makes of γ and r.
      for (let at = 0; at < invStd.length; at += saved.channels) copyInto(invStd, factor!, at);
      const added = kernels.backward(own, xOf(n), dyOf(n), toOf(n), null, dresidualOf(n), null);
      return after(added, () => copySums(sums, own, n));
    }
    for (let at = 0; at < gradScale.length;)
      for (let c = 0; c < saved.channels; c++, at++)
        gradScale[at] = factor ? round(own.isFloat32, weight[at]! * factor[c]!) : 1;
    return kernels.gradInput(own, xOf(n), dyOf(n), toOf(n), otherOf(n), dresidualOf(n), null);
  });
  return after(ran, () => own.set("streamFrom", streamFrom));
}

/** Keeps the sums of a call. */
function copySums({ sumG, sumGX }: GradSums, { fields, extent }: Control, n: number): void {
  copyInto(sumG, fields.sumG, n * extent.channels);
  copyInto(sumGX, fields.sumGX, n * extent.channels);
}

/** The sums of each sample, as tables with a row for each. A pass that writes something makes them if there is one. */
export function sumsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  scaling: Scaling | null,
): Later<GradSums> {
  const length = saved.shape[0]! * saved.channels;
  const sums = { sumG: zeros(length), sumGX: zeros(length) };
  if (scaling) return after(scaleSamples(workspace, saved, counting, scaling, sums), () => sums);
  const { own, each, through } = callsOf(workspace, saved);
  const [xOf, dyOf] = [samplesOf(counting.x, each), samplesOf(counting.dy, each)];
  const otherOf = samplesOf(residualOrYOf(saved), each);
  const ran = inTurn(through(saved.fixedStatistics), (n) =>
    after(workspace.kernels.gradSums(own, xOf(n), dyOf(n), otherOf(n)), () => copySums(sums, own, n)),
  );
  return after(ran, () => sums);
}
