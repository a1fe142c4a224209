// onnxruntime-web in the page.
import { composedGraphOf, graphOf } from "../../peers/onnx-graphs.js";
import { encodeModel } from "../../peers/onnx-model.js";
import { prepareSession, type Build, type Runtime } from "../../peers/onnx-sessions.js";
import type { Contender } from "./contender.js";
import { OTHERS } from "./names.js";
import { checkThreads } from "./verify.js";
import { counted } from "./workers.js";

const NAME = OTHERS.onnx;

/** The build for browsers without GPUs, of which `folder` has the files. */
async function load(folder: string, threads: number): Promise<Runtime> {
  const runtime = (await import(`${folder}ort.wasm.min.mjs`)) as Runtime;
  Object.assign(runtime.env.wasm, { numThreads: threads, wasmPaths: folder });
  // The first session starts the threads of all.
  const identity = encodeModel({
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
    inputs: { x: [1] },
    outputs: { y: [1] },
  });
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
  await (await runtime.InferenceSession.create(identity, options)).release();
  return runtime;
}

/** Its operator where that knows the layout, and other operations that it is composed of. */
function contendersOf(build: Build): Contender[] {
  return [
    {
      who: NAME,
      prepare(op, problem) {
        if (problem.setting.layout === "channels-last") return "its operator takes channels first";
        if (op === "backward") return "it has no backward of batch normalization";
        return prepareSession(build, problem, graphOf(op, problem));
      },
    },
    {
      who: OTHERS.onnxComposed,
      prepare: (op, problem) => prepareSession(build, problem, composedGraphOf(op, problem)),
    },
  ];
}

/** @throws Error where it does not run on as many threads. */
export async function loadOnnx(folder: string, threads: number): Promise<{ contenders: Contender[]; check: string }> {
  const { loaded: runtime, tally } = await counted(() => load(folder, threads));
  const says = { what: "env.wasm.numThreads", threads: runtime.env.wasm.numThreads ?? 0 };
  const check = checkThreads({ name: NAME, asked: threads, says, features: {}, ...tally });
  return { contenders: contendersOf({ runtime, threads, reuses: false }), check };
}
