// The three operations as ONNX graphs. BatchNormalization knows channels in axis 1 alone and works on rows (N×C) at half
// the speed of the operations it is made of; ONNX has no backward. Those are composed, in the order of the formulas.
import type { Operation } from "../shapes.js";
import type { OnnxGraph, OnnxNode } from "./onnx-model.js";
import type { Problem } from "./peer.js";

interface Shapes {
  readonly data: readonly number[];
  /** One value a channel, as BatchNormalization takes it. */
  readonly channels: readonly number[];
  /** The same, in line with the data's channel axis. */
  readonly aligned: readonly number[];
  /** All axes but the channels'. */
  readonly axes: readonly number[];
}

/** Channels-last data are rows of channels: no other shape keeps them where they are. */
function shapesOf({ shape, extent: { outer, channels, inner } }: Problem): Shapes {
  const data = inner === 1 ? [outer, channels] : shape;
  return {
    data,
    channels: [channels],
    aligned: data.map((size, axis) => (axis === 1 ? size : 1)),
    axes: data.map((_, axis) => axis).filter((axis) => axis !== 1),
  };
}

/** "d = Sub x mean": one operation of one output. */
function compute(line: string, attributes?: OnnxNode["attributes"]): OnnxNode {
  const [output, , op, ...inputs] = line.split(" ");
  return { op: op!, inputs, outputs: [output!], ...(attributes && { attributes }) };
}

function builtIn({ data, channels }: Shapes, eps: number, training: boolean): OnnxGraph {
  const statistics = training ? ["newMean", "newVar"] : [];
  const attributes = { "f:epsilon": eps, ...(training && { training_mode: 1 }) };
  const inputs = ["x", "weight", "bias", "runningMean", "runningVar"];
  return {
    nodes: [{ op: "BatchNormalization", inputs, outputs: ["out", ...statistics], attributes }],
    inputs: { ...Object.fromEntries(inputs.map((name) => [name, channels])), x: data },
    outputs: { out: data, ...Object.fromEntries(statistics.map((name) => [name, channels])) },
  };
}

function composedForward({ data, aligned, axes }: Shapes): OnnxGraph {
  return {
    nodes: [
      compute("mean = ReduceMean x", { axes }),
      compute("d = Sub x mean"),
      compute("m2 = ReduceSumSquare d", { axes }),
      compute("variance = Div m2 count"),
      compute("safe = Add variance eps"),
      compute("std = Sqrt safe"),
      compute("scale = Div weight std"),
      compute("scaled = Mul d scale"),
      compute("out = Add scaled bias"),
    ],
    inputs: { x: data, weight: aligned, bias: aligned, count: [1], eps: [1] },
    outputs: { out: data },
  };
}

function composedInference({ data, aligned }: Shapes): OnnxGraph {
  return {
    nodes: [
      compute("safe = Add runningVar eps"),
      compute("std = Sqrt safe"),
      compute("scale = Div weight std"),
      compute("product = Mul runningMean scale"),
      compute("shift = Sub bias product"),
      compute("scaled = Mul x scale"),
      compute("out = Add scaled shift"),
    ],
    inputs: { x: data, weight: aligned, bias: aligned, runningMean: aligned, runningVar: aligned, eps: [1] },
    outputs: { out: data },
  };
}

/** dx = γ·r·(dy − Σdy/n − d·r²·Σ(dy·d)/n), with d = x − mean. */
function backward({ data, aligned, axes }: Shapes): OnnxGraph {
  return {
    nodes: [
      compute("d = Sub x mean"),
      compute("product = Mul dy d"),
      compute("s = ReduceMean dy", { axes }),
      compute("u = ReduceMean product", { axes }),
      compute("ur = Mul u invStd"),
      compute("urr = Mul ur invStd"),
      compute("along = Mul d urr"),
      compute("centred = Sub dy s"),
      compute("left = Sub centred along"),
      compute("scale = Mul weight invStd"),
      compute("out = Mul left scale"),
      compute("gradWeight = Mul ur count"),
      compute("gradBias = Mul s count"),
    ],
    inputs: { x: data, dy: data, weight: aligned, mean: aligned, invStd: aligned, count: [1] },
    outputs: { out: data, gradWeight: aligned, gradBias: aligned },
  };
}

const COMPOSED = { forward: composedForward, inference: composedInference, backward } as const;

/** Of operations that every layout knows. */
export function composedGraphOf(operation: Operation, problem: Problem): OnnxGraph {
  return COMPOSED[operation](shapesOf(problem));
}

/** By the operator where there is one that is fast. */
export function graphOf(operation: Operation, problem: Problem): OnnxGraph {
  if (operation === "backward" || problem.setting.layout === "channels-last")
    return composedGraphOf(operation, problem);
  return builtIn(shapesOf(problem), problem.eps, operation === "forward");
}
