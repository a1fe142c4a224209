// The calls of a layer's track: the same arguments for an asynchronous call and for the oracle's synchronous one.
import type { BatchNorm, Gradients, Saved } from "../../../src/index.js";
import { floatTypeOf, type Data, type DType } from "../../../src/base/types.js";
import { backwardOptions, dtypeOfResult, forwardOptions, shapeOf, type Tensors } from "../call-arguments.js";
import type { FuzzCase } from "../draw.js";
import type { Loose, Options, Play } from "../recorder.js";
import type { AsyncCall } from "./case.js";
import { backwardTensors, forwardTensors } from "./inputs.js";
import { noteOutputs } from "./memory.js";

export interface Prepared {
  readonly method: "forward" | "backward";
  readonly args: readonly unknown[];
  readonly options: Options;
}

/** A layer, and what its calls refer to of earlier ones. The order in which calls are prepared is that of the track. */
export class LayerCalls {
  #latest: Tensors | null = null;
  #token: Saved | null = null;
  #earlier: Gradients<DType> | null = null;

  constructor(
    readonly one: FuzzCase,
    readonly layer: BatchNorm<DType>,
  ) {}

  forward(play: Play, { step }: AsyncCall): Prepared {
    const tensors = (this.#latest = forwardTensors(play, step));
    const options: Options = { ...forwardOptions(play, tensors), ...this.one.asked };
    noteOutputs(options["out"]);
    return { method: "forward", args: [tensors.x, shapeOf(this.one)], options };
  }

  /** All calls before it have ended if `gap` is "all". */
  backward(play: Play, { gap, namesToken }: AsyncCall): Prepared {
    if (gap === "all") this.#token = this.layer.saved;
    const tensors = backwardTensors(play, this.#latest!);
    const given = backwardOptions(play, tensors, gap === "all" ? this.#earlier : null);
    const options: Options = { ...given, ...(namesToken && { saved: this.#token }) };
    // The newest x is that of another token, which still needs it.
    if (namesToken && gap !== "all" && this.isInPlace(options)) delete options["out"];
    noteOutputs(options["out"], options["residualOut"]);
    return { method: "backward", args: [tensors.dy], options };
  }

  later({ method, args, options }: Prepared, signal: AbortSignal | undefined): Promise<unknown> {
    return this.#loose[`${method}Async`]!(...args, { ...options, signal }) as Promise<unknown>;
  }

  atOnce({ method, args, options }: Prepared): unknown {
    return this.#loose[method]!(...args, options);
  }

  get #loose(): Readonly<Record<string, Loose>> {
    return this.layer as never;
  }

  /** Whether a backward writes over the x of the newest forward. */
  isInPlace(options: Options): boolean {
    return options["out"] === this.#latest?.x;
  }

  keep(play: Play, { method }: Prepared, result: unknown): void {
    if (method === "forward") return play.keep("output", result);
    this.#earlier = result as Gradients<DType>;
    play.keepAll("backward", this.#earlier, dtypeOfResult(this.one));
  }

  /** A synchronous call, which disturbs none that is pending. */
  between(play: Play, { step }: AsyncCall): void {
    const { layer, one } = this;
    const tensors = forwardTensors(play, step);
    const isTraining = one.mode === "training";
    const options: Options = { ...forwardOptions(play, tensors), ...(!isTraining && { save: false }) };
    noteOutputs(options["out"]);
    const forward = (): unknown => (layer.forward as Loose).call(layer, tensors.x, shapeOf(one), options);
    const y = play.attempt("at once", forward) as Data | null;
    play.keep("at once: output", y);
    if (y === null || !isTraining || !layer.saved) return;
    const dy = play.memory.hold(one.dtype, tensors.given.dy);
    const backward = (): unknown => layer.backward(dy as never);
    const gradients = play.attempt("at once, backward", backward);
    if (gradients) play.keepAll("at once, backward", gradients, dtypeOfResult(one));
  }

  commit(play: Play): void {
    const { layer } = this;
    if (layer.saved) play.attempt("commit", () => layer.commit(layer.saved!));
  }

  keepState(play: Play): void {
    const type = floatTypeOf(this.one.dtype);
    play.keep("running mean", this.layer.runningMean, type);
    play.keep("running variance", this.layer.runningVar, type);
    play.keep("batches tracked", this.layer.numBatchesTracked, "float64");
  }
}
