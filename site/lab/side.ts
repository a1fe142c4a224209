// One of the two networks side by side, with its digits and mini-batches: what a worker does. It knows no page, so that
// Node trains the same network to the same bits.
import type { BackendName } from "batchnorm";
import { exp } from "../../examples/digits/network/exp.js";
import { Network } from "../../examples/digits/network/network.js";
import { uniform } from "../../examples/digits/network/random.js";
import {
  batches,
  CLASSES,
  first,
  PIXELS,
  Stream,
  type Digits,
  type Samples,
} from "../../examples/digits/network/samples.js";
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

/** The class with the largest probability in every row of logits; −1 where none is a number. */
function answersOf(logits: Float32Array): number[] {
  return Array.from({ length: logits.length / CLASSES }, (_, i) => {
    const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
    return row.indexOf(Math.max(...row));
  });
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
  #network: Network;
  /** A copy for everything that must not move the running statistics of the network in training. */
  #mirror: Network;
  #batches: Generator<Samples, never>;
  #batch: Samples;
  #step = 0;
  #divergedAt: number | null = null;

  constructor(
    file: Uint8Array,
    settings: Settings,
    readonly normalized: boolean,
    readonly backend?: BackendName,
  ) {
    this.#digits = unpackDigits(file);
    this.#settings = settings;
    this.#network = this.#makeNetwork();
    this.#mirror = this.#makeMirror();
    this.#batches = this.#makeBatches();
    this.#batch = this.#batches.next().value;
  }

  #makeNetwork(random = uniform(this.#settings.seed, Stream.weights)): Network {
    const { depth, sigma, activation, momentum } = this.#settings;
    const backend = this.backend === undefined ? {} : { backend: this.backend };
    const units = Array.from({ length: depth }, () => UNITS);
    const norm = this.normalized ? { momentum, singleValue: "allow" as const, ...backend } : null;
    return new Network({ activation, units, norm, initialStd: sigma || null }, random);
  }

  /** Its weights are always copied, so it draws none. */
  #makeMirror(): Network {
    return this.#makeNetwork(() => 0);
  }

  #makeBatches(): Generator<Samples, never> {
    const { training } = this.#digits;
    return batches(first(training, this.#settings.digits), batchSize(this.#settings), this.#settings.seed);
  }

  /** Begins again at step 0. */
  begin(settings: Settings): State {
    this.#settings = settings;
    this.#network = this.#makeNetwork();
    this.#mirror = this.#makeMirror();
    this.#batches = this.#makeBatches();
    this.#batch = this.#batches.next().value;
    this.#step = 0;
    this.#divergedAt = null;
    return this.state();
  }

  /** Goes on with other settings, or begins again where the network itself changes. */
  change(settings: Settings): State {
    const before = this.#settings;
    if (needsNewNetwork(before, settings)) return this.begin(settings);
    this.#settings = settings;
    for (const norm of this.#network.norms) norm.momentum = settings.momentum;
    for (const norm of this.#mirror.norms) norm.momentum = settings.momentum;
    if (batchSize(before) !== batchSize(settings)) {
      this.#batches = this.#makeBatches();
      this.#batch = this.#batches.next().value;
    }
    return this.state();
  }

  /** Trains up to a step. A network that has diverged counts along, so that both stand at one step. */
  advance(to: number): State {
    for (; this.#step < to && this.#divergedAt === null; this.#step++) {
      // Step 0 takes the batch that the page has shown already.
      if (this.#step > 0) this.#batch = this.#batches.next().value;
      this.#network.step(this.#batch, this.#settings.rate);
      if (!this.#network.output.weight.every(Number.isFinite)) this.#divergedAt = this.#step + 1;
    }
    this.#step = Math.max(this.#step, to);
    return this.state();
  }

  state(): State {
    const { training, heldOut } = this.#digits;
    const few = first(training, Math.min(PROBED, this.#settings.digits));
    const share = ({ images, labels, count }: Samples): number =>
      answersOf(this.#network.forward(images, count)).filter((answer, i) => answer === labels[i]).length / count;
    const [accuracy, trainingAccuracy] = this.#network.inEvaluation(() => [share(heldOut), share(few)]);
    return { step: this.#step, divergedAt: this.#divergedAt, accuracy: accuracy, trainingAccuracy: trainingAccuracy };
  }

  /** What the newest mini-batch gives in a layer and in one of its units, there and back. */
  look(layer: number, unit: number): Look {
    this.#mirror.copyFrom(this.#network);
    return lookAt(this.#mirror, this.#batch, layer, unit);
  }

  /** Answers to the first held-out digits, given all at once or one by one, with the batch's or the running statistics. */
  answers(count: number, oneByOne: boolean, training: boolean): number[] {
    this.#mirror.copyFrom(this.#network);
    const { images } = first(this.#digits.heldOut, count);
    const size = oneByOne ? 1 : count;
    const ask = (): number[] =>
      Array.from({ length: count / size }, (_, i) =>
        answersOf(this.#mirror.forward(images.subarray(i * size * PIXELS, (i + 1) * size * PIXELS), size)),
      ).flat();
    return training ? ask() : this.#mirror.inEvaluation(ask);
  }

  /** The probabilities of the ten digits for an image of values in [0, 1], in evaluation mode. */
  probabilities(image: Float32Array): number[] {
    return this.#network.inEvaluation(() => softmax(this.#network.forward(image, 1)));
  }

  /** The bytes of all that training changes, one parameter after another. */
  parameters(): Uint8Array {
    const each = this.#network.parameters();
    const bytes = new Uint8Array(each.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let position = 0;
    for (const { buffer, byteOffset, byteLength } of each) {
      bytes.set(new Uint8Array(buffer, byteOffset, byteLength), position);
      position += byteLength;
    }
    return bytes;
  }

  /** The backend that normalizes, or null without normalization. */
  backendInUse(): BackendName | null {
    return this.#network.norms[0]?.backend ?? null;
  }
}
