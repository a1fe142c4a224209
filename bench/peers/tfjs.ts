// TensorFlow.js in Node.
import { loadPackage, versionOf } from "./packages.js";
import type { Peer } from "./peer.js";
import { prepareTfjs, type Backend, type Core } from "./tfjs-tasks.js";

async function load(backend: Backend, names: readonly { name: string; byHand: boolean }[]): Promise<Peer[]> {
  const core = loadPackage<Core>("@tensorflow/tfjs-core");
  // Without its checks for NaN and advice on the console.
  core.enableProdMode();
  loadPackage(`@tensorflow/tfjs-backend-${backend}`);
  loadPackage("@tensorflow/tfjs-core/dist/register_all_gradients");
  const tf = { ...core, select: async () => void (await core.setBackend(backend)) };
  await tf.select();
  if (core.getBackend() !== backend) throw new Error(`its ${backend} backend does not start`);
  return names.map(({ name, byHand }) => ({
    name,
    version: versionOf("@tensorflow/tfjs-core"),
    threads: 1,
    slow: backend === "cpu",
    prepare: async (problem) => {
      await tf.select();
      return prepareTfjs(tf, problem, byHand);
    },
  }));
}

export function loadTfjsCpu(): Promise<Peer[]> {
  return load("cpu", [{ name: "tfjs-cpu", byHand: false }]);
}

export function loadTfjsWasm(): Promise<Peer[]> {
  return load("wasm", [
    { name: "tfjs-wasm", byHand: false },
    { name: "tfjs-wasm-composed", byHand: true },
  ]);
}
