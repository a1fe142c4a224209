// The network of scripts/torch/checkpoints.py from a file of any format: what it computes, whole and folded. The same modules
// run in every runtime: `modules` are this package's, by the names of its entries.
import { convolve, linear, planeMeans, relu } from "../../examples/pytorch-inference/convolution.js";

const dots = (name) => name;
const slashes = (name) => name.replace(".", "/");

/** What is particular to a format: its entry, its file, its names, and whether its file says ε. */
export const FORMATS = {
  pytorch: { entry: "pytorch", file: "network.pt", nameOf: dots },
  safetensors: { entry: "safetensors", file: "network.safetensors", nameOf: dots },
  json: { entry: "json", file: "network.json", nameOf: dots },
  keras: { entry: "keras", file: "network.weights.h5", nameOf: slashes },
  onnx: { entry: "onnx", file: "network.onnx", nameOf: dots, saysEps: true },
  "onnx, external data": { entry: "onnx", file: "network-external.onnx", nameOf: dots, saysEps: true },
};

const LAYERS = ["bn1", "bn2", "bn3"];
const EPS = { bn1: 1e-5, bn2: 1e-3, bn3: 1e-5 };
const TENSORS = ["conv1.weight", "conv1.bias", "conv2.weight", "fc.weight", "fc.bias"];

const tensorOf = async (file, name) => {
  const { shape, read } = file.tensors.get(name);
  return { data: await read(), shape };
};

/** An input, and PyTorch's output for it. */
export async function exampleOf(modules, source) {
  const file = await modules.pytorch.open(await source("network.pt"));
  return { input: await tensorOf(file, "input"), output: await tensorOf(file, "output") };
}

/** The layers and the other tensors of the network as a format's `save` takes them. */
export async function statesOf(modules, source, nameOf) {
  const file = await modules.pytorch.open(await source("network.pt"));
  const states = {};
  for (const name of LAYERS) states[nameOf(`${name}.`)] = await modules.pytorch.load(file, `${name}.`);
  for (const name of TENSORS) states[nameOf(name)] = await tensorOf(file, name);
  return states;
}

/** The parts of a network in a file. */
async function partsOf(modules, name, source, options) {
  const { entry, file, nameOf, saysEps } = FORMATS[name];
  const format = modules[entry];
  // The files beside a model are found as its other readers find them: by the locations that the model has.
  const opened = await format.open(await source(file), ...(entry === "onnx" ? [{ external: source }] : []));
  const tensor = (own) => tensorOf(opened, nameOf(own));
  const layer = (own, more) => {
    const eps = saysEps ? {} : { eps: EPS[own] };
    return format.load(opened, nameOf(`${own}.`), { convention: "torch", ...eps, ...options, ...more });
  };
  return {
    conv1: { weight: await tensor("conv1.weight"), bias: (await tensor("conv1.bias")).data },
    conv2: { weight: await tensor("conv2.weight"), bias: null },
    fc: { weight: await tensor("fc.weight"), bias: (await tensor("fc.bias")).data },
    bn1: await layer("bn1", { activation: "relu" }),
    bn2: await layer("bn2", { activation: "relu" }),
    bn3: await layer("bn3"),
  };
}

/**
 * What the network of a format's file makes of an input, whole and folded, and the backend that its layers had.
 * `source` gives the file of a name.
 */
export async function outputsOf(modules, name, source, { data, shape }, options = {}) {
  const { conv1, conv2, fc, bn1, bn2, bn3 } = await partsOf(modules, name, source, options);
  const { foldIntoConv, foldIntoLinear } = modules.fold;
  const [samples, channels, side] = shape;
  const planes = [samples, 8, side, side];
  const first = bn1.forward(convolve(data, [samples, channels, side], conv1), planes);
  const second = bn2.forward(convolve(first, planes, conv2, 2), planes);
  const whole = bn3.forward(linear(planeMeans(second, side * side), fc), [samples, 5]);
  const one = relu(convolve(data, [samples, channels, side], foldIntoConv(conv1, bn1)));
  const two = relu(convolve(one, planes, foldIntoConv(conv2, bn2, { groups: 2 }), 2));
  const folded = linear(planeMeans(two, side * side), foldIntoLinear(fc, bn3));
  return { backend: bn3.backend, whole: [...whole], folded: [...folded] };
}

/** The outputs of all formats, as text: numbers in JSON are exact. */
export async function report(modules, source) {
  const { input, output } = await exampleOf(modules, source);
  const formats = {};
  for (const name of Object.keys(FORMATS)) formats[name] = await outputsOf(modules, name, source, input);
  return JSON.stringify({ formats, output: [...output.data] });
}
