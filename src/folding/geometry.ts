// Where a weight has the elements of each output and each input channel, by the conventions of the frameworks.
import { checkInteger, checkOneOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";

/**
 * Whose order of axes a weight has, with any number of spatial axes k.
 *
 * | convention | convolution | transposed convolution | linear layer |
 * | --- | --- | --- | --- |
 * | `"torch"` | [out, in/groups, k…] | [in, out/groups, k…] | [out, in] |
 * | `"onnx"` | [out, in/groups, k…] | [in, out/groups, k…] | – |
 * | `"keras"` | [k…, in/groups, out] | [k…, out, in] | [in, out] |
 * | `"keras-depthwise"` | [k…, in, multiplier] | – | – |
 */
export type WeightConvention = "torch" | "onnx" | "keras" | "keras-depthwise";

/**
 * Output channel g·outs + o is made of input channels g·ins + i. Element (g, o, i, k) of the weight, with `taps` values of
 * k, stands at the sum of its indices times their strides.
 */
export interface Geometry {
  readonly groups: number;
  readonly outs: number;
  readonly ins: number;
  readonly taps: number;
  readonly strides: { readonly group: number; readonly out: number; readonly in: number; readonly tap: number };
}

/** A kind of layer: the conventions that it has, and the ranks of its weight. */
export interface Kind {
  readonly conventions: readonly WeightConvention[];
  readonly leastRank: number;
  readonly mostRank: number;
  readonly geometryOf: (shape: readonly number[], convention: WeightConvention, groups: number) => Geometry;
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** [out, in/groups, k…]; the last two axes of Keras are [in/groups, out], or [in, multiplier] in which in are the groups. */
function convolution(shape: readonly number[], convention: WeightConvention, groups: number): Geometry {
  if (convention === "torch" || convention === "onnx") {
    const [out, ins] = shape as readonly [number, number];
    const taps = product(shape.slice(2));
    const outs = out / groups;
    return { groups, outs, ins, taps, strides: { group: outs * ins * taps, out: ins * taps, in: taps, tap: 1 } };
  }
  const [first, last] = shape.slice(-2) as [number, number];
  const taps = product(shape.slice(0, -2));
  const tap = first * last;
  if (convention === "keras-depthwise")
    return { groups: first, outs: last, ins: 1, taps, strides: { group: last, out: 1, in: 0, tap } };
  const outs = last / groups;
  return { groups, outs, ins: first, taps, strides: { group: outs, out: 1, in: last, tap } };
}

/** [in, out/groups, k…], or [k…, out, in]. */
function transposed(shape: readonly number[], convention: WeightConvention, groups: number): Geometry {
  if (convention === "keras") {
    const [outs, ins] = shape.slice(-2) as [number, number];
    const strides = { group: 0, out: ins, in: 1, tap: outs * ins };
    return { groups, outs, ins, taps: product(shape.slice(0, -2)), strides };
  }
  const [all, outs] = shape as readonly [number, number];
  const taps = product(shape.slice(2));
  const ins = all / groups;
  return { groups, outs, ins, taps, strides: { group: ins * outs * taps, out: taps, in: outs * taps, tap: 1 } };
}

export const KINDS = {
  conv: {
    conventions: ["torch", "onnx", "keras", "keras-depthwise"],
    leastRank: 3,
    mostRank: Infinity,
    geometryOf: convolution,
  },
  convTranspose: { conventions: ["torch", "onnx", "keras"], leastRank: 3, mostRank: Infinity, geometryOf: transposed },
  linear: { conventions: ["torch", "keras"], leastRank: 2, mostRank: 2, geometryOf: convolution },
} as const satisfies Record<string, Kind>;

/** Checks the options and the shape of a weight. */
export function readGeometry(kind: Kind, shape: readonly number[], options: Record<string, unknown>): Geometry {
  const convention = checkOneOf("convention", options.convention ?? "torch", kind.conventions);
  const groups = checkInteger("groups", options.groups ?? 1, 1);
  const isGrouped = convention === "torch" || convention === "onnx" || (convention === "keras" && kind === KINDS.conv);
  if (groups > 1 && !isGrouped)
    throw rangeError("ERR_BATCHNORM_OPTION", `"groups" and the convention "${convention}" exclude each other here`);
  const text = `[${shape.join(", ")}]`;
  if (shape.length < kind.leastRank || shape.length > kind.mostRank) {
    const expected = kind.mostRank === kind.leastRank ? `${kind.leastRank}` : `at least ${kind.leastRank}`;
    throw rangeError("ERR_BATCHNORM_SHAPE", `"weight" expected ${expected} axes, got ${text}`);
  }
  const geometry = kind.geometryOf(shape, convention, groups);
  if (!Number.isInteger(geometry.outs) || !Number.isInteger(geometry.ins))
    throw rangeError("ERR_BATCHNORM_SHAPE", `"weight" expected channels that ${groups} groups divide, got ${text}`);
  return geometry;
}
