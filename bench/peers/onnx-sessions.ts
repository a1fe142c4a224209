// Sessions of onnxruntime as tasks, of any of its builds.
import type { Operation } from "../shapes.js";
import { graphOf } from "./onnx-graphs.js";
import { encodeModel, type OnnxGraph } from "./onnx-model.js";
import { timeAsync, type Prepared, type Problem, type Result, type Task } from "./peer.js";

interface Tensor {
  readonly data: Float32Array;
}
type Tensors = Readonly<Record<string, Tensor>>;

interface Session {
  run(feeds: Tensors, outputs?: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/** What is used of onnxruntime-common's interface. */
export interface Runtime {
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => Tensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: { intraOpNumThreads: number; interOpNumThreads: number }): Promise<Session>;
  };
  readonly env: { readonly wasm: { numThreads?: number } };
}

export interface Build {
  readonly runtime: Runtime;
  readonly threads: number;
  /** Whether it writes into outputs that it is given: the WebAssembly build takes them and leaves them as they are. */
  readonly reuses: boolean;
}

/** The values of an input by its name in the graphs. */
function valuesOf(problem: Problem): Readonly<Record<string, Float32Array>> {
  const { x, dy, weight, bias, runningMean, runningVar, mean, invStd } = problem;
  const count = Float32Array.of(problem.extent.outer * problem.extent.inner);
  return { x, dy, weight, bias, runningMean, runningVar, mean, invStd, count, eps: Float32Array.of(problem.eps) };
}

export interface SessionTask extends Task {
  readonly dispose: () => Promise<void>;
}

export async function prepareSession(build: Build, problem: Problem, graph: OnnxGraph): Promise<SessionTask> {
  const { runtime, threads, reuses } = build;
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
  const session = await runtime.InferenceSession.create(encodeModel(graph), options);
  const tensors = (
    shapes: Readonly<Record<string, readonly number[]>>,
    valueOf: (name: string, length: number) => Float32Array,
  ): Tensors =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, dims]) => {
        const length = dims.reduce((a, b) => a * b, 1);
        return [name, new runtime.Tensor("float32", valueOf(name, length), dims)];
      }),
    );
  const values = valuesOf(problem);
  const feeds = tensors(graph.inputs, (name) => values[name]!);
  const given = reuses ? tensors(graph.outputs, (_, length) => new Float32Array(length)) : undefined;
  let results: Tensors = {};
  return {
    dispose: () => session.release(),
    sample: timeAsync(async () => void (results = await (given ? session.run(feeds, given) : session.run(feeds)))),
    result: (): Result => {
      const { out, gradWeight, gradBias } = results;
      return {
        out: out!.data,
        ...(gradWeight && { gradWeight: gradWeight.data }),
        ...(gradBias && { gradBias: gradBias.data }),
      };
    },
  };
}

export async function prepareSessions(build: Build, problem: Problem): Promise<Prepared> {
  const prepare = (op: Operation): Promise<SessionTask> => prepareSession(build, problem, graphOf(op, problem));
  const [forward, inference, backward] = [
    await prepare("forward"),
    await prepare("inference"),
    await prepare("backward"),
  ];
  return {
    tasks: { forward, inference, backward },
    dispose: async () => {
      for (const task of [forward, inference, backward]) await task.dispose();
    },
  };
}
