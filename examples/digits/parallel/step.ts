// One step of data-parallel training: each rank computes the gradients of its part of the mini-batch, and all ranks add them in
// the order of the ranks, so that all take the same step to the bit.
import { gather, gatherAsync, SyncBatchNorm, type Group } from "batchnorm/sync";
import type { Gradients } from "batchnorm";
import { activations } from "../network/activations.js";
import type { Trained } from "../network/dense.js";
import { crossEntropyGradient } from "../network/loss.js";
import type { Hidden } from "../network/layers.js";
import type { Network } from "../network/network.js";
import type { Samples } from "../network/samples.js";

/** The rows of a mini-batch that a rank has: contiguous, and as many for each as can be. */
export function partOf({ images, labels, count }: Samples, { rank, size }: Group): Samples {
  const [begin, end] = [rank, rank + 1].map((edge) => Math.floor((edge * count) / size)) as [number, number];
  const pixels = images.length / count;
  return {
    count: end - begin,
    images: images.subarray(begin * pixels, end * pixels),
    labels: labels.subarray(begin, end),
  };
}

/** Blocking is faster where ranks have a core each. Ranks that take turns cannot. */
const canBlock = (group: Group): boolean => group.allGatherAsync !== undefined;

function normOf({ norm }: Hidden): SyncBatchNorm {
  if (norm instanceof SyncBatchNorm) return norm as SyncBatchNorm;
  throw new TypeError("the network needs synchronized normalizations");
}

function normalize(norm: SyncBatchNorm, z: Float32Array, shape: number[]): Float32Array | Promise<Float32Array> {
  return canBlock(norm.group) ? norm.forward(z, shape) : norm.forwardAsync(z, shape);
}

function denormalize(norm: SyncBatchNorm, du: Float32Array): Gradients<"float32"> | Promise<Gradients<"float32">> {
  return canBlock(norm.group) ? norm.backward(du) : norm.backwardAsync(du);
}

/**
 * The gradients of this rank's part, of the loss of the whole mini-batch of `total` samples. A normalization's forward and
 * backward exchange statistics with the other ranks, and block only where the group can do nothing else.
 */
export async function partGradients(network: Network, part: Samples, total: number): Promise<Trained[]> {
  const activation = activations[network.options.activation];
  const outputs: Float32Array[] = [];
  let h = part.images;
  for (const layer of network.hidden) {
    const z = layer.dense.forward(h, part.count);
    h = activation.forward(await normalize(normOf(layer), z, [part.count, layer.dense.outputs]));
    outputs.push(h);
  }
  const slope = crossEntropyGradient(network.output.forward(h, part.count), part.labels, total);
  let dh = network.output.backward(slope, part.count, true);
  const trained = network.output.trained();
  for (let i = network.hidden.length - 1; dh; i--) {
    const { dense } = network.hidden[i]!;
    const norm = normOf(network.hidden[i]!);
    const { gradInput, gradWeight, gradBias } = await denormalize(norm, activation.backward(dh, outputs[i]!));
    dh = dense.backward(gradInput, part.count, i > 0);
    const ofNorm = [
      { value: norm.weight!, gradient: gradWeight!, decays: false },
      { value: norm.bias!, gradient: gradBias!, decays: false },
    ];
    trained.unshift(...dense.trained(), ...ofNorm);
  }
  return trained;
}

/** Adds the gradients of all ranks, in float64 and in the order of the ranks, and rounds each sum once. */
async function addOverRanks(trained: readonly Trained[], group: Group): Promise<void> {
  const length = trained.reduce((sum, { gradient }) => sum + gradient.length, 0);
  const own = new Float64Array(length);
  let at = 0;
  for (const { gradient } of trained) {
    own.set(gradient, at);
    at += gradient.length;
  }
  const options = { name: "gradients" };
  const [sums, ...others] = canBlock(group) ? gather(group, own, options) : await gatherAsync(group, own, options);
  for (const values of others) for (let i = 0; i < length; i++) sums![i]! += values[i]!;
  at = 0;
  for (const { gradient } of trained) {
    gradient.set(sums!.subarray(at, at + gradient.length));
    at += gradient.length;
  }
}

export async function step(network: Network, batch: Samples, rate: number, group: Group): Promise<void> {
  const trained = await partGradients(network, partOf(batch, group), batch.count);
  await addOverRanks(trained, group);
  for (const { value, gradient } of trained) {
    for (let i = 0; i < value.length; i++) value[i]! -= rate * gradient[i]!;
  }
}
