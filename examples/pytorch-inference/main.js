// A network that PyTorch trained, whole and with its batch normalizations folded into the layers before them.
import { readFile } from "node:fs/promises";
import { foldIntoConv, foldIntoLinear } from "batchnorm/fold";
import { findBatchNorms, load, open } from "batchnorm/pytorch";
import { convolve, linear, planeMeans, relu } from "./convolution.js";

const file = await open(await readFile(new URL("network.pt", import.meta.url)));
const found = await findBatchNorms(file);
console.log(found.map(({ prefix, channels }) => `${prefix} ${channels} channels`).join(", "));

/** A tensor of the file: { data, shape }. */
async function tensor(name) {
  const { shape, read } = file.tensors.get(name);
  return { data: await read(), shape };
}
const biasOf = async (name) => (await tensor(name)).data;

const conv1 = { weight: await tensor("conv1.weight"), bias: await biasOf("conv1.bias") };
const conv2 = { weight: await tensor("conv2.weight"), bias: null };
const fc = { weight: await tensor("fc.weight"), bias: await biasOf("fc.bias") };

// A state dict has no eps: what the model was made with has to be said where it is not torch's default.
const bn1 = await load(file, "bn1.", { activation: "relu" });
const bn2 = await load(file, "bn2.", { activation: "relu", eps: 1e-3 });
const bn3 = await load(file, "bn3.");

const input = await tensor("input");
const [samples, channels, side] = input.shape;
const planes = [samples, 8, side, side];

function whole(x) {
  const first = bn1.forward(convolve(x, [samples, channels, side], conv1), planes);
  const second = bn2.forward(convolve(first, planes, conv2, 2), planes);
  return bn3.forward(linear(planeMeans(second, side * side), fc), [samples, 5]);
}

const folded1 = foldIntoConv(conv1, bn1);
const folded2 = foldIntoConv(conv2, bn2, { groups: 2 });
const foldedFc = foldIntoLinear(fc, bn3);

function folded(x) {
  const first = relu(convolve(x, [samples, channels, side], folded1));
  const second = relu(convolve(first, planes, folded2, 2));
  return linear(planeMeans(second, side * side), foldedFc);
}

const { data: expected } = await tensor("output");
for (const [name, network] of Object.entries({ whole, folded })) {
  const difference = Math.max(...network(input.data).map((value, i) => Math.abs(value - expected[i])));
  console.log(`${name}: differs from PyTorch by ${difference.toExponential(0)}`);
}
