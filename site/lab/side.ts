// One of the two networks side by side, with its digits and mini-batches: what a worker does. It knows no page, so that
// Node trains the same network to the same bits.
import type { BackendName } from "batchnorm";
import { answers, evaluate } from "../../examples/digits/network/evaluate.js";
import { exp } from "../../examples/digits/network/exp.js";
import { Network } from "../../examples/digits/network/network.js";
import { uniform } from "../../examples/digits/network/random.js";
import { batches, first, PIXELS, Stream, type Digits, type Samples } from "../../examples/digits/network/samples.js";
import { unpackDigits } from "./digit-set.js";
import { lookAt, type Look } from "./look.js";
import { batchSize, needsNewNetwork, type Settings } from "./settings.js";

const UNITS = 100;
/** How many training digits the accuracy on them is measured with. */
const PROBED = 500;

export interface State {
  readonly step: number;
  /** The step at which a value stopped being finite, after which nothing is trained, or null. */
  readonly divergedAt: number | null;
  /** Shares of the digits named rightly, 0–1, in evaluation mode. */
  readonly accuracy: number;
  readonly trainingAccuracy: number;
}

/** A training from its beginning on. */
interface Run {
  readonly network: Network;
  /** A copy for everything that must not move the running statistics of the network. */
  readonly mirror: Network;
  batches: Generator<Samples, never>;
  /** The newest mini-batch. Before the first step it is the one that the step will take. */
  batch: Samples;
  step: number;
  divergedAt: number | null;
}

function softmax(logits: Float32Array): number[] {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

export class Side {
  readonly #digits: Digits;
  #settings: Settings;
  #run: Run;

  constructor(
    file: Uint8Array,
    settings: Settings,
    readonly normalized: boolean,
    readonly backend?: BackendName,
  ) {
    this.#digits = unpackDigits(file);
    this.#settings = settings;
    this.#run = this.#start();
  }

  #start(): Run {
    const { depth, sigma, activation, momentum, seed } = this.#settings;
    const backend = this.backend === undefined ? {} : { backend: this.backend };
    const norm = this.normalized ? { momentum, singleValue: "allow" as const, ...backend } : null;
    const units = Array.from({ length: depth }, () => UNITS);
    const options = { activation, units, norm, initialStd: sigma || null };
    const network = new Network(options, uniform(seed, Stream.weights));
    // The mirror's weights are always copied, so it draws none.
    const mirror = new Network(options, () => 0);
    return { network, mirror, ...this.#draw(), step: 0, divergedAt: null };
  }

  #draw(): Pick<Run, "batches" | "batch"> {
    const { digits, seed } = this.#settings;
    const drawn = batches(first(this.#digits.training, digits), batchSize(this.#settings), seed);
    return { batches: drawn, batch: drawn.next().value };
  }

  /** Begins again at step 0. */
  begin(settings: Settings): State {
    this.#settings = settings;
    this.#run = this.#start();
    return this.state();
  }

  /** Goes on with other settings, or begins again where the network itself changes. */
  change(settings: Settings): State {
    const before = this.#settings;
    if (needsNewNetwork(before, settings)) return this.begin(settings);
    this.#settings = settings;
    const { network, mirror } = this.#run;
    for (const norm of [...network.norms, ...mirror.norms]) norm.momentum = settings.momentum;
    if (batchSize(before) !== batchSize(settings)) Object.assign(this.#run, this.#draw());
    return this.state();
  }

  /** Trains up to a step. A network that has diverged counts along, so that both stand at one step. */
  advance(to: number): State {
    const run = this.#run;
    for (; run.step < to && run.divergedAt === null; run.step++) {
      if (run.step > 0) run.batch = run.batches.next().value;
      run.network.step(run.batch, this.#settings.rate);
      if (!run.network.output.weight.every(Number.isFinite)) run.divergedAt = run.step + 1;
    }
    run.step = Math.max(run.step, to);
    return this.state();
  }

  state(): State {
    const { network, step, divergedAt } = this.#run;
    const few = first(this.#digits.training, Math.min(PROBED, this.#settings.digits));
    const [accuracy, trainingAccuracy] = [this.#digits.heldOut, few].map((some) => evaluate(network, some).accuracy);
    return { step, divergedAt, accuracy: accuracy!, trainingAccuracy: trainingAccuracy! };
  }

  #copied(): Network {
    this.#run.mirror.copyFrom(this.#run.network);
    return this.#run.mirror;
  }

  /** What the newest mini-batch gives in a layer and in one of its units, there and back. */
  look(layer: number, unit: number): Look {
    return lookAt(this.#copied(), this.#run.batch, layer, unit);
  }

  /** Answers to the first held-out digits, all at once or one by one, with the batch's or the running statistics. */
  answers(count: number, oneByOne: boolean, training: boolean): number[] {
    const mirror = this.#copied();
    const { images } = this.#digits.heldOut;
    const size = oneByOne ? 1 : count;
    const ask = (): number[] =>
      Array.from({ length: count / size }, (_, i) =>
        answers(mirror.forward(images.subarray(i * size * PIXELS, (i + 1) * size * PIXELS), size)),
      ).flat();
    return training ? ask() : mirror.inEvaluation(ask);
  }

  /** The probabilities of the ten digits for an image of values in [0, 1], in evaluation mode. */
  probabilities(image: Float32Array): number[] {
    const { network } = this.#run;
    return network.inEvaluation(() => softmax(network.forward(image, 1)));
  }

  /** The bytes of all that training changes, one parameter after another. */
  parameters(): Uint8Array {
    const each = this.#run.network.parameters();
    return Uint8Array.from(
      each.flatMap(({ buffer, byteOffset, byteLength }) => [...new Uint8Array(buffer, byteOffset, byteLength)]),
    );
  }

  /** The backend that normalizes, or null without normalization. */
  backendInUse(): BackendName | null {
    return this.#run.network.norms[0]?.backend ?? null;
  }
}
