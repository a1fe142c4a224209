// What is followed while a network trains.
import { columns, percentiles } from "../../examples/digits/network/evaluate.js";
import type { Network } from "../../examples/digits/network/network.js";
import type { Digits, Samples } from "../../examples/digits/network/samples.js";
import type { Follow, Settings } from "../experiments/plan.js";
import { accuracy, spread } from "./evaluate.js";
import type { Model } from "./model.js";
import type { Curve } from "./point.js";
import { drift, predictiveness } from "./shift.js";

/** Digits that are evaluated on the way: a fifth of the test set, and no more than that of the training digits. */
const FOLLOWED = 2000;
/** Digits whose distribution is followed. */
const PROBE = 500;
const PERCENTILES = [0.15, 0.5, 0.85];
/** Units of the last hidden layer whose inputs are followed: the first three, whatever they show. */
const UNITS = 3;

/** Four digits are all that a picture or a table shows. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

export class Recorder {
  readonly curve: Curve = { steps: [], accuracy: [] };
  readonly #heldOut: Samples;
  readonly #training: Samples;
  readonly #probe: Samples;

  constructor(
    readonly settings: Settings,
    readonly model: Model,
    /** Null where the model is no dense network; then only accuracies can be followed. */
    readonly network: Network | null,
    digits: Digits,
  ) {
    this.#heldOut = spread(digits.heldOut, FOLLOWED);
    this.#training = spread(digits.training, FOLLOWED);
    this.#probe = spread(digits.heldOut, PROBE);
  }

  #follows(what: Follow): boolean {
    return this.settings.follow?.includes(what) ?? false;
  }

  /** Takes a step on the batch, and records what it does to the layers. */
  aroundStep(batch: Samples, takeStep: () => void): void {
    const { curve, network } = this;
    if (network && this.#follows("gradients")) {
      const { change, smoothness } = predictiveness(network, batch, this.settings.rate);
      (curve.gradientChange ??= []).push(rounded(change));
      (curve.smoothness ??= []).push(rounded(smoothness));
    }
    if (network && this.#follows("drift")) {
      const { mean, deviation } = drift(network, this.#probe, takeStep);
      (curve.meanDrift ??= []).push(mean.map(rounded));
      (curve.deviationDrift ??= []).push(deviation.map(rounded));
    } else {
      takeStep();
    }
  }

  evaluate(step: number): void {
    const { curve, model, network } = this;
    curve.steps.push(step);
    curve.accuracy.push(accuracy(model, this.#heldOut));
    if (this.#follows("training")) (curve.training ??= []).push(accuracy(model, this.#training));
    if (network && this.#follows("percentiles")) (curve.percentiles ??= []).push(this.#percentiles(network));
  }

  /** Of what enters the followed units, with the running statistics. */
  #percentiles(network: Network): number[][] {
    const { images, count } = this.#heldOut;
    return network.inEvaluation(() => {
      network.forward(images, count);
      const entering = columns(network.lastEntering, network.lastEntering.length / count).slice(0, UNITS);
      return entering.map((values) => percentiles(values, PERCENTILES).map(rounded));
    });
  }
}
