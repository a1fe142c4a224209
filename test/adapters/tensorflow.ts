// TensorFlow.js for tests, the benchmark and the example: installed at first use, and typed by what is used of it.
import { mkdirSync, rmdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { packagesIn } from "../../scripts/tools/packages.js";
import type { TfjsLayers } from "../../src/tfjs.js";

export interface Tensor {
  readonly shape: number[];
  readonly dtype: string;
  readonly rank: number;
  readonly dataId: object;
  readonly isDisposed: boolean;
  dataSync(): Float32Array;
  data(): Promise<Float32Array>;
  dispose(): void;
}
export interface Variable extends Tensor {
  assign(value: Tensor): void;
}
export interface Layer {
  readonly name: string;
  trainable: boolean;
  readonly weights: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly trainableWeights: readonly { readonly name: string }[];
  /** Of a wrapper. */
  readonly layer: Layer;
  renorm?: unknown;
  momentum: number;
  getWeights(): Tensor[];
  setWeights(weights: readonly Tensor[]): void;
  getConfig(): Record<string, unknown>;
  getClassName(): string;
  apply(x: unknown, kwargs?: object): Tensor;
  build(shape: readonly (number | null)[]): void;
  dispose(): unknown;
}
export interface Model extends Layer {
  readonly layers: Layer[];
  compile(options: object): void;
  trainOnBatch(x: Tensor, y: Tensor): Promise<number>;
  predict(x: Tensor): Tensor;
  toJSON(unused: unknown, returnString?: boolean): Record<string, unknown>;
  save(handler: object): Promise<unknown>;
}
type Axes = readonly number[];
type Make = (config: object) => Layer;

/** What is used of TensorFlow.js. */
export interface Tf extends TfjsLayers {
  setBackend(name: string): Promise<boolean>;
  getBackend(): string;
  registerBackend(name: string, factory: () => unknown): boolean;
  enableProdMode(): void;
  ready(): Promise<void>;
  memory(): { numTensors: number; numDataBuffers: number };
  tensor(values: ArrayLike<number>, shape?: readonly number[], dtype?: string): Tensor;
  tensor1d(values: ArrayLike<number>): Tensor;
  ones(shape: readonly number[]): Tensor;
  variable(value: Tensor, trainable?: boolean): Variable;
  tidy<T>(run: () => T): T;
  customGrad(...args: never[]): unknown;
  cast(x: Tensor, dtype: string): Tensor;
  transpose(x: Tensor, order?: Axes): Tensor;
  moments(x: Tensor, axes: Axes): { mean: Tensor; variance: Tensor };
  batchNorm(x: Tensor, mean: Tensor, variance: Tensor, offset?: Tensor, scale?: Tensor, epsilon?: number): Tensor;
  sum(x: Tensor, axes?: Axes): Tensor;
  mean(x: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor | number): Tensor;
  add(a: Tensor, b: Tensor | number): Tensor;
  square(x: Tensor): Tensor;
  grad(f: (x: Tensor) => Tensor): (x: Tensor, dy?: Tensor) => Tensor;
  grads(f: (...xs: Tensor[]) => Tensor): (xs: readonly Tensor[], dy?: Tensor) => Tensor[];
  sequential(config?: { layers: Layer[] }): Model;
  model(config: { inputs: unknown; outputs: unknown }): Model;
  input(config: object): Tensor;
  loadLayersModel(handler: unknown): Promise<Model>;
  variableGrads(f: () => Tensor): { value: Tensor; grads: Record<string, Tensor> };
  readonly initializers: { glorotUniform(config: object): unknown };
  readonly train: { sgd(rate: number): object; adam(rate: number): object };
  readonly io: {
    withSaveHandler(handler: (artifacts: object) => Promise<object>): object;
    fromMemory(a: object): object;
  };
  readonly layers: Record<
    "dense" | "conv2d" | "conv3d" | "flatten" | "activation" | "globalAveragePooling2d" | "add" | "timeDistributed",
    Make
  > & { batchNormalization(config?: { readonly axis?: number; readonly scale?: boolean }): Layer };
}

const packages = packagesIn(new URL("packages/", import.meta.url));
export const { folderIn, versionOf } = packages;

/** The folder with the packages in it. */
export const installedPackages = fileURLToPath(new URL("packages/node_modules/", import.meta.url));

/** Files of tests run side by side: one installs, the others wait. */
export async function installTensorflow(): Promise<void> {
  const lock = fileURLToPath(new URL("packages/.installing", import.meta.url));
  for (let waited = 0; waited < 600; waited++) {
    try {
      mkdirSync(lock);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 500));
      continue;
    }
    try {
      const failure = packages.install("TensorFlow.js, 0.3 GB", console.log);
      if (failure !== null) throw new Error(failure);
      return;
    } finally {
      rmdirSync(lock);
    }
  }
  throw new Error(`${lock} did not go away: remove it if nothing installs`);
}

/** TensorFlow.js without its advice about tfjs-node. @throws Error where it cannot be installed. */
export async function loadTensorflow(): Promise<Tf> {
  await installTensorflow();
  const { log, warn } = console;
  console.log = console.warn = () => undefined;
  try {
    const tf = packages.load<Tf>("@tensorflow/tfjs");
    const wasm = "@tensorflow/tfjs-backend-wasm";
    packages.load<{ setWasmPaths(folder: string): void }>(wasm).setWasmPaths(folderIn(wasm, "wasm-out"));
    tf.enableProdMode();
    for (const name of ["wasm", "cpu"]) {
      if (!(await tf.setBackend(name))) throw new Error(`the backend ${name} of TensorFlow.js does not start`);
      tf.ones([1]).dispose(); // the first tensor brings the advice
    }
    return tf;
  } finally {
    Object.assign(console, { log, warn });
  }
}

/** The backends of TensorFlow.js that run in Node. */
export const TF_BACKENDS = ["cpu", "wasm"] as const;

/** A model as it would be in a file: its form through JSON, its weights as bytes. */
export async function artifactsOf(tf: Tf, model: Model): Promise<object> {
  let artifacts: object | undefined;
  const handler = tf.io.withSaveHandler((saved) => {
    const { weightData, ...rest } = saved as { weightData: unknown };
    artifacts = { ...(JSON.parse(JSON.stringify(rest)) as object), weightData };
    return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } });
  });
  await model.save(handler);
  return artifacts!;
}
