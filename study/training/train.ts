// One training: builds the network of a point, runs its steps, and evaluates it on the way and at the end.
import { gather, batches, type Digits, type Samples } from "../../examples/digits/network/samples.js";
import { hash } from "../../examples/digits/hash.js";
import type { Products } from "../../examples/digits/network/matrix.js";
import { shuffle, uniform } from "../../examples/digits/network/random.js";
import { Stream } from "../../examples/digits/network/samples.js";
import type { Planned, Settings } from "../experiments/plan.js";
import { accuracy, batchAccuracy } from "./evaluate.js";
import { convolutionalNetwork, denseNetwork, type Model } from "./model.js";
import type { ByStatistics, Point } from "./point.js";
import { byUpdate, type Source } from "./population.js";
import { Recorder } from "./recorder.js";
import { StatisticsFollower } from "./statistics.js";
import { twoClassBatches } from "./two-classes.js";

/** What a training gives; the rest of a point says where and when. */
export type Trained = Pick<
  Point,
  | "steps"
  | "diverged"
  | "accuracy"
  | "byStatistics"
  | "byUpdate"
  | "curve"
  | "hash"
  | "seconds"
  | "shortestStep"
  | "backend"
>;

/** The digits of the settings: all, or so many drawn with the seed. */
function chosen(training: Samples, { digits = training.count }: Settings, seed: number): Samples {
  if (digits === training.count) return training;
  const order = shuffle(
    Uint32Array.from({ length: training.count }, (_, i) => i),
    uniform(seed, Stream.split),
  );
  const images = new Float32Array(digits * (training.images.length / training.count));
  return gather(training, order.subarray(0, digits), { count: digits, images, labels: new Uint8Array(digits) });
}

function batchesOf(samples: Samples, { batch, order }: Settings, seed: number): Generator<Samples, never> {
  return order === "two-classes" ? twoClassBatches(samples, batch, seed) : batches(samples, batch, seed);
}

function isFinite(model: Model): boolean {
  return model.parameters().every((values) => values.every(Number.isFinite));
}

/** Accuracies on all held-out digits with each kind of statistics. */
function byStatistics(follower: StatisticsFollower, digits: Digits, { settings, seed }: Planned): ByStatistics {
  const { model } = follower;
  const { heldOut, training } = digits;
  follower.use("running");
  const running = accuracy(model, heldOut);
  follower.use("cumulative");
  const cumulative = accuracy(model, heldOut);
  follower.usePopulation(training);
  const population = accuracy(model, heldOut);
  const count = Math.floor(heldOut.count / settings.batch);
  return { running, cumulative, population, batch: batchAccuracy(model, batchesOf(heldOut, settings, seed), count) };
}

function sourceOf(training: Samples, { heldOut }: Digits, { settings, seed }: Planned): Source {
  return { training, heldOut, batch: settings.batch, batchesOf: (samples) => batchesOf(samples, settings, seed) };
}

/** Trains from the seed to the last step, or until a parameter is infinite or NaN; `onStep` hears of every step done. */
export async function train(
  planned: Planned,
  digits: Digits,
  products: Products,
  onStep: (step: number) => void = () => {},
): Promise<Trained> {
  const { settings, seed } = planned;
  const { model: kind, rate, weightDecay = 0, evaluations, follow = [] } = settings;
  const network = kind === "dense" ? denseNetwork(settings, seed, products) : null;
  const model: Model = network ?? convolutionalNetwork(settings, seed);
  const training = chosen(digits.training, settings, seed);
  const source = batchesOf(training, settings, seed);
  const follower = follow.includes("statistics") ? new StatisticsFollower(model) : null;
  const recorder = new Recorder(settings, model, network, { training, heldOut: digits.heldOut });
  const every = Math.max(1, Math.round(settings.steps / evaluations));
  let milliseconds = 0;
  let shortestStep = Infinity;
  let steps = 0;
  let diverged = false;
  while (steps < settings.steps && !diverged) {
    const batch = source.next().value;
    const takeStep = (): void => {
      const start = performance.now();
      model.step(batch, rate, { weightDecay });
      const taken = performance.now() - start;
      milliseconds += taken;
      shortestStep = Math.min(shortestStep, taken);
    };
    steps++;
    const evaluated = steps % every === 0 || steps === settings.steps;
    if (evaluated) recorder.aroundStep(batch, takeStep);
    else takeStep();
    follower?.follow();
    if (evaluated) {
      follower?.use("running");
      diverged = !isFinite(model);
      recorder.evaluate(steps);
    }
    onStep(steps);
  }
  return {
    steps,
    diverged,
    hash: hash(model),
    accuracy: accuracy(model, digits.heldOut),
    ...(follower && { byStatistics: byStatistics(follower, digits, planned) }),
    ...(follow.includes("population") && { byUpdate: await byUpdate(model, sourceOf(training, digits, planned)) }),
    curve: recorder.curve,
    seconds: Number((milliseconds / 1000).toFixed(1)),
    shortestStep: Number(shortestStep.toFixed(3)),
    backend: model.norms[0]?.backend ?? "none",
  };
}
