// onnxruntime's two builds: native through Node's addon, and WebAssembly.
import { prepareSessions, type Runtime } from "./onnx-sessions.js";
import { loadPackage, versionOf } from "./packages.js";
import type { Peer } from "./peer.js";
import { THREADS } from "./threads.js";

export function loadOnnxNode(): Peer[] {
  const [name, runtime] = ["onnxruntime-node", loadPackage<Runtime>("onnxruntime-node")];
  return THREADS.map((threads) => ({
    name,
    version: versionOf(name),
    threads,
    prepare: (problem) => prepareSessions({ runtime, threads, reuses: true }, problem),
  }));
}

export function loadOnnxWeb(): Peer[] {
  const [name, runtime] = ["onnxruntime-web", loadPackage<Runtime>("onnxruntime-web")];
  runtime.env.wasm.numThreads = 1;
  return [
    {
      name,
      version: versionOf(name),
      threads: 1,
      prepare: (problem) => prepareSessions({ runtime, threads: 1, reuses: false }, problem),
    },
  ];
}
