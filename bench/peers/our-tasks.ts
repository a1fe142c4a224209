// The library's own operations as tasks, into given outputs.
import type { BackendName, FloatType as DType, Gradients, Saved } from "batchnorm";
import type { Floats as Data } from "../../src/base/types.js";
import { makeLayer } from "../measure/layer.js";
import type { Operation } from "../shapes.js";
import { timeSync, type Prepared, type Problem } from "./peer.js";

export interface Arrays {
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly out: Float32Array;
}

export interface Ours extends Prepared {
  /** How many threads worked on the newest call of an operation. */
  readonly worked: (op: Operation) => number;
}

export function prepareOurs(
  problem: Problem,
  { name }: { readonly name: BackendName },
  threads: number,
  { x, dy, out }: Arrays,
): Ours {
  const { setting, shape } = problem;
  const [training, frozen] = [
    makeLayer(setting, { backend: name, threads }),
    makeLayer(setting, { backend: name, threads }),
  ];
  frozen.eval();
  training.forward(x, shape, { out });
  // A token serves one backward. A copy that is marked as unused serves another.
  const token = training.saved!;
  const unused = (): Saved => ({ ...token, life: new Uint8Array(1) });
  let gradients: Gradients<DType, Data> | undefined;
  const floats = (values: Data | null | undefined): Float32Array => Float32Array.from(values!);
  return {
    tasks: {
      forward: { sample: timeSync(() => void training.forward(x, shape, { out })), result: () => ({ out }) },
      inference: { sample: timeSync(() => void frozen.forward(x, shape, { out })), result: () => ({ out }) },
      backward: {
        sample: timeSync(
          () => void (gradients = training.backward(dy, { out, saved: unused() }) as Gradients<DType, Data>),
        ),
        result: () => ({
          out,
          gradWeight: floats(gradients?.gradWeight),
          gradBias: floats(gradients?.gradBias),
        }),
      },
    },
    worked: (op) => (op === "inference" ? frozen : training).threads,
    dispose: () => undefined,
  };
}
