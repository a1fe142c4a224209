// The steps of a layer's forwards, which those at once and the asynchronous ones share: the check of the arguments, the
// normalization, whole or cut, and how the running statistics move.
import type { AsyncRun } from "../arguments/async.js";
import { readConditional } from "../arguments/conditional.js";
import { checkForward, type GivenForward } from "../arguments/forward.js";
import { after, type Later } from "../base/later.js";
import type { Data, DType } from "../base/types.js";
import type { ForwardArrays } from "../engine/forward.js";
import type { WholeMoments } from "../kernels/moments.js";
import { putOutput, togetherArrays } from "../policies/apart-axes.js";
import { limitsOf } from "../policies/renorm.js";
import type { Cut } from "../policies/virtual-batches.js";
import type { Tables } from "../values/aliases.js";
import { collectorOf } from "./collectors.js";
import type { Config } from "./config.js";
import { checkDeferrable, copyOf } from "./deferred.js";
import type { BegunForward, ForwardCall, Normalized } from "./forward-call.js";
import { modeOfGiven, tablesOfGiven } from "./given-moments.js";
import type { LayerState } from "./layer-state.js";
import type { LayerMemory } from "./memory.js";
import { modeOf, type Asked } from "./mode.js";
import { normalize, updateOf, type LayerForward } from "./normalize.js";
import type { Moved, Running, RunningTables } from "./running.js";
import { parametersOf, runningOf, tablesOf } from "./tables.js";
import { normalizeCut } from "./virtual-forward.js";

export class LayerForwards {
  constructor(
    private readonly config: Config,
    private readonly memory: LayerMemory,
    private readonly running: Running,
  ) {}

  /** Checks a forward. Nothing is written. `promise` makes an array that stands for its output; null: it is made at once. */
  begin(
    layer: LayerState<DType>,
    given: GivenForward,
    asked: Asked,
    moments: WholeMoments | null,
    promise: ((dtype: DType) => Data) | null,
  ): BegunForward {
    const { training, update } = asked;
    const weight = (update ?? (training && !asked.frozen)) === true ? this.running.weightOfNext() : null;
    const { renorm, activation } = this.config;
    const limits = renorm && training ? limitsOf(renorm, this.running.next) : null;
    const parameters = parametersOf(layer);
    const running = runningOf(layer, this.config);
    const plan = this.memory.planOf(given.shape);
    const own = (): Data => (promise ? promise(plan.dtype) : this.memory.buffer("output", plan.size));
    const tables = (): Tables => tablesOf(parameters, running, moments && tablesOfGiven(moments));
    const conditional = readConditional(plan, given.options);
    const arrays = checkForward(plan, given, { activation, parameters, conditional, saves: training, tables, own });
    if (update === "later") checkDeferrable(arrays.kept !== null);
    return { given, asked, moments, arrays, running, limits, weight };
  }

  /** The call with the statistics that it normalizes with: `moments`, or those of the batch, or the running ones. */
  callOf(begun: BegunForward, moments: WholeMoments | null): ForwardCall {
    const { given, asked, arrays, running, limits, weight } = begun;
    const mode = moments
      ? modeOfGiven(moments, arrays, this.config, asked)
      : modeOf(arrays.plan, arrays.weights, this.config, asked);
    return { given, asked, moments, arrays, mode, running, limits, weight };
  }

  /** Normalizes x into y with the channel axes together. */
  normalize(call: ForwardCall, run: AsyncRun | null): Later<Normalized> {
    const { arrays } = call;
    if (!arrays.plan.apartAxes) return this.#normalizeTogether(call, arrays, run);
    const together = this.#togetherArrays(call, run);
    return after(this.#normalizeTogether(call, together, run), (done) => {
      if (together !== arrays) putOutput(together, arrays);
      return done;
    });
  }

  /** The arrays with channel axes that touch. A backend that cannot be used is found before anything is written. */
  #togetherArrays({ arrays, mode }: ForwardCall, run: AsyncRun | null): ForwardArrays {
    const isChecked = mode.statistics === "running" && mode.update === "none";
    if (isChecked && !run) this.memory.keptFor(arrays.plan, arrays.weights !== null);
    return togetherArrays(arrays, isChecked);
  }

  /** Normalizes x into y, whole or cut. */
  #normalizeTogether(call: ForwardCall, arrays: ForwardArrays, run: AsyncRun | null): Later<Normalized> {
    const { mode, asked, running, limits } = call;
    const { cut, onNonFinite } = this.config;
    const { plan, weights } = arrays;
    if (cut && asked.training && mode.statistics === "batch" && plan.size > 0)
      return this.#normalizeCut(call, arrays, cut, run);
    const isWeighted = weights !== null;
    const workspace = run ? run.workspaceFor(plan, isWeighted) : this.memory.keptFor(plan, isWeighted);
    const done = normalize(workspace, arrays, mode, running, limits, onNonFinite, call.moments);
    // No closure for a call that has ended: a small forward takes microseconds.
    return done instanceof Promise
      ? done.then((forward) => this.#normalized(forward, call))
      : this.#normalized(done, call);
  }

  #normalized({ saved, moments, renormed }: LayerForward, { mode, asked }: ForwardCall): Normalized {
    const update = updateOf(moments, mode, this.config.onNonFinite);
    if (update === "none") return { saved, moved: [], renormed };
    const one = { moments: moments!, update };
    return { saved, moved: [asked.update === "later" ? copyOf(one) : one], renormed };
  }

  #normalizeCut(call: ForwardCall, arrays: ForwardArrays, cut: Cut, run: AsyncRun | null): Later<Normalized> {
    const { asked, running, limits, weight } = call;
    const { plan } = arrays;
    const waits = asked.update === "later" || cut.order === "interleaved";
    // An asynchronous call may yet fail: until it has ended, copies of the statistics move.
    const ahead = run && running && !waits ? this.running.ahead(running) : null;
    const moved: Moved[] = [];
    const done = normalizeCut({
      arrays,
      cut,
      config: this.config,
      running: ahead?.tables ?? running,
      limits,
      modeOf: (part, of) => modeOf(part, of, this.config, asked),
      workspaceOf: run?.workspaceFor ?? ((extent, isWeighted) => this.memory.keptFor(extent, isWeighted, plan.size)),
      move: (one) => {
        if (waits || ahead) moved.push(copyOf(one));
        else this.move(running!, [one], weight);
        ahead?.move(one, weight);
      },
    });
    return after(done, ({ saved, renormed }) => ({ saved, moved, renormed }));
  }

  /** Moves the running statistics by a batch, or by its virtual batches. */
  move(running: RunningTables, moved: readonly Moved[], weight: number | null): void {
    const collector = collectorOf(running.mean);
    if (collector) for (const one of moved) collector(copyOf(one).moments);
    else if (this.config.cut?.order === "interleaved") this.running.moveByMean(running, moved, weight);
    else for (const one of moved) this.running.move(running, one, weight);
  }
}
