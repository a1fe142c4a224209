// Mini-batches that are not drawn from all digits alike: each holds two classes.
import { uniform } from "../../examples/digits/network/random.js";
import { CLASSES, gather, type Samples } from "../../examples/digits/network/samples.js";

/** A stream of the seed's numbers that the network's own code does not use. */
const STREAM = 100;

/** Endless mini-batches of `size` digits, drawn at random from two classes that are drawn anew for each. */
export function* twoClassBatches(samples: Samples, size: number, seed: number): Generator<Samples, never> {
  const random = uniform(seed, STREAM);
  const draw = (count: number): number => Math.floor(random() * count);
  const ofClass = Array.from({ length: CLASSES }, (_, digit) =>
    Uint32Array.from(samples.labels.keys()).filter((number) => samples.labels[number] === digit),
  );
  const images = new Float32Array(size * (samples.images.length / samples.count));
  const batch = { count: size, images, labels: new Uint8Array(size) };
  for (;;) {
    const one = draw(CLASSES);
    // One of the nine others.
    const other = (one + 1 + draw(CLASSES - 1)) % CLASSES;
    const numbers = Uint32Array.from({ length: size }, () => {
      const candidates = ofClass[random() < 0.5 ? one : other]!;
      return candidates[draw(candidates.length)]!;
    });
    yield gather(samples, numbers, batch);
  }
}
