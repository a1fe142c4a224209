// The oracle's y and gradients against the textbook.
import { describe, expect, test } from "vitest";
import { centeredSum } from "../../src/kernels/coefficients.js";
import type { Control, Extent } from "../../src/kernels/control.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { allocate, floatTypeOf, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { gradients, random, residuals, values, weights, type Kind } from "../../src/verify/data.js";
import { OPTIONS, flagsOf, titleOf, type Option } from "../support/passes.js";
import {
  expectSame,
  EXTENTS,
  SMALL_EXTENTS,
  UNIT,
  chainOf,
  gradientsOf,
  nameOf,
  positions,
  prepared,
  sum,
  worst,
} from "../support/textbook.js";

interface Pass {
  readonly control: Control;
  readonly x: Data;
  readonly y: Data;
  readonly g: Data;
  readonly dx: Data;
  readonly dresidual: Data;
  readonly add: Data | null;
}

/** A forward and a backward pass. g is exact: dy where the stored y lets it through. */
function passOf(dtype: DType, kind: Kind, extent: Extent, option: Option): Pass {
  const next = random(4);
  const x = values(dtype, kind, extent, next);
  const dy = gradients(dtype, kind, extent, next);
  const residual = residuals(dtype, kind, extent, next);
  const add = option.residual ? residual : null;
  const [y, dx, dresidual] = [0, 1, 2].map(() => allocate(dtype, x.length)) as [Data, Data, Data];
  const control = prepared(dtype, extent, 1e-5, flagsOf(option));
  const { weight, bias, mean, m2 } = control.fields;
  weight.set(weights(kind, extent.channels, next));
  bias.fill(0.3);
  oracle.forward(control, x, y, add, null);
  if (option.fixed) {
    mean.forEach((value, c) => {
      mean[c] = value + 0.1;
      m2[c]! *= 0.8;
    });
    oracle.normalize(control, x, y, add);
  }
  const g = dy.map((v, p) => (option.relu && y[p]! <= 0 ? 0 : v)) as Data;
  oracle.backward(control, x, dy, dx, option.relu ? add : null, dresidual, null);
  return { control, x, y, g, dx, dresidual, add };
}

/** y of channel c: three roundings up to the product with scale, one of shift, one of each sum. */
function* forwardErrors({ control, x, y, add }: Pass, c: number): Generator<[number, number]> {
  const { mean, invStd, weight, bias, center } = control.fields;
  const u = UNIT[floatTypeOf(control.dtype)];
  const p = weight[c]! * invStd[c]!;
  for (const at of positions(control.extent, c)) {
    const extra = add ? add[at]! : 0;
    const z = (x[at]! - mean[c]!) * p + bias[c]! + extra;
    // x − center is rounded, and center itself: shift makes up for that but for its own rounding.
    const product = Math.abs(p) * (Math.abs(x[at]! - mean[c]!) + Math.abs(center[c]! - mean[c]!));
    const allowed = u * (4 * product + 2 * Math.abs(bias[c]!) + 2 * (product + Math.abs(bias[c]!) + Math.abs(extra)));
    yield [y[at]! - (control.has("activation") ? Math.max(0, z) : z), allowed];
  }
}

/** Sums: k additions in a lane, and the roundings of d and g·d. dx: its operations, and what the sums' errors make of it. */
function* backwardErrors({ control, x, g, dx }: Pass, c: number): Generator<[number, number]> {
  const { mean, invStd, weight, center, sumG, sumGX } = control.fields;
  const u = UNIT[floatTypeOf(control.dtype)];
  const at = positions(control.extent, c);
  const n = at.length;
  const r = invStd[c]!;
  const fixed = control.has("fixed");
  const want = gradientsOf(x, g, at, mean[c]!, r, weight[c]!, fixed);
  const relative = (chainOf(control.extent) + 3) * u;
  const sumError = relative * sum(n, (i) => Math.abs(g[at[i]!]!));
  const crossError =
    relative * sum(n, (i) => Math.abs(g[at[i]!]! * (x[at[i]!]! - center[c]!))) +
    Math.abs(center[c]! - mean[c]!) * sumError;
  yield [sumG[c]! - want.dbias, sumError];
  yield [centeredSum(control.isFloat32, mean[c]!, sumG[c]!, sumGX[c]!) * r - want.dweight, r * crossError];

  const a = Math.abs(weight[c]! * r);
  const s = Math.abs(want.dbias) / n;
  const t = Math.abs(want.dweight * r) / n;
  for (const [i, p] of at.entries()) {
    const d = Math.abs(x[p]! - mean[c]!) + Math.abs(center[c]! - mean[c]!);
    const size = Math.abs(g[p]!);
    const fromSums = sumError / n + (d * r * r * crossError) / n;
    yield [dx[p]! - want.dx[i]!, a * (fixed ? 2 * u * size : u * (4 * size + 5 * s + 8 * d * t) + fromSums)];
  }
}

describe("y and gradients", () => {
  const kinds: readonly Kind[] = ["primeCycle", "gaussian", "smooth", "smoothRelu", "farMean", "outlierFirst"];

  describe.each(kinds)("%s", (kind) => {
    for (const dtype of ["float32", "float64"] as const) {
      for (const option of OPTIONS) {
        test(`${dtype}, ${titleOf(option)}`, () => {
          for (const extent of kind === "gaussian" ? EXTENTS : SMALL_EXTENTS) {
            const pass = passOf(dtype, kind, extent, option);
            for (let c = 0; c < extent.channels; c++) {
              expect(worst(forwardErrors(pass, c)), `y of ${nameOf(extent)}, channel ${c}`).toBeLessThanOrEqual(1);
              expect(
                worst(backwardErrors(pass, c)),
                `gradients of ${nameOf(extent)}, channel ${c}`,
              ).toBeLessThanOrEqual(1);
            }
            expectSame(pass.dresidual, pass.g, `dresidual of ${nameOf(extent)}`);
          }
        });
      }
    }
  });
});
