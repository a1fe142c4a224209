// The layers and the tensors of this page. They are made of whole numbers, so that every machine has the same.

const CHANNELS = 64;
const LAYERS = 24;

export const SHAPES = {
  small: [2, CHANNELS, 56, 56],
  medium: [8, CHANNELS, 56, 56],
  large: [32, CHANNELS, 56, 56],
};

export const sizeOf = (shape) => shape.reduce((product, size) => product * size, 1);

const table = (factor, smallest) =>
  Float32Array.from({ length: CHANNELS }, (_, c) => smallest + ((c * factor) % 13) / 16);

/** What the worker gets to make its layers. The state can come from a file, or be bn.stateDict() of a layer of the page. */
export const descriptions = Array.from({ length: LAYERS }, (_, i) => ({
  channels: CHANNELS,
  options: { activation: i % 2 === 0 ? "leaky-relu" : "none" },
  state: {
    weight: table(i + 3, 0.5),
    bias: table(i + 5, -0.25),
    running_mean: table(i + 7, -0.25),
    running_var: table(i + 11, 0.5),
    num_batches_tracked: 1,
  },
}));

/** Writes a tensor. */
export function draw(x) {
  for (let i = 0; i < x.length; i++) x[i] = ((i % 100_003) % 1009) / 64 - 5;
}

/** The first digits of the SHA-256 of an array: equal bits have equal digits. */
export async function fingerprint(array) {
  // Digests are not made of shared memory, so this is a copy.
  const digest = await crypto.subtle.digest("SHA-256", array.slice());
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
