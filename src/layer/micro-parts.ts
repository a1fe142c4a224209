// One micro-batch: how it is read and checked, and the kernels that make its gradients.
import { outputOf } from "../arguments/async.js";
import { checkOperand } from "../arguments/forward.js";
import type { ChannelAxes } from "../base/axes.js";
import { checkData, describe, isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { after, type Later } from "../base/later.js";
import { readOptions } from "../base/options.js";
import type { Data, DType } from "../base/types.js";
import { applyGrads, type GradCoefficients } from "../engine/backward.js";
import { planOf, readOperand, readShape, type Plan } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import { WEIGHTS, readWeights, weightsOf, type Weights } from "../values/weights.js";
import type { Inputs, Way } from "./micro-ways.js";

const FIELDS = ["x", "shape", "residual", "out", "maskedOutput", ...WEIGHTS] as const;

/** A micro-batch as it was read and checked. */
export interface Part {
  readonly plan: Plan;
  readonly x: Data;
  readonly residual: Data | null;
  readonly weights: Weights | null;
  /** As the layer's forward takes them. */
  readonly options: Record<string, unknown>;
}

/** The shapes of the micro-batches, as far as they have been read. */
export type Shapes = (readonly number[])[];

/** What a micro-batch must fit. */
interface Setting {
  readonly dtype: DType;
  readonly axis: ChannelAxes;
  readonly channels: number;
  readonly shapes: Shapes;
}

/** Checks what `read` returned. */
export function checkPart(index: number, given: unknown, { dtype, axis, channels, shapes }: Setting): Part {
  const name = `read(${index})`;
  if (!isRecord(given)) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected an object, got ${describe(given)}`);
  const { x, shape, ...options } = readOptions(given, FIELDS, name);
  const plan = planOf(readShape(`${name}.shape`, shape), axis, dtype, channels);
  checkShape(index, plan, shapes);
  if (plan.apartAxes)
    throw rangeError("ERR_BATCHNORM_OPTION", `micro-batches and channel axes that do not touch exclude each other`);
  const residual = options["residual"] ?? null;
  return {
    plan,
    x: checkData("x", x, dtype, plan.size),
    residual: residual === null ? null : checkOperand("residual", readOperand("residual", residual), plan),
    weights: weightsOf(plan, readWeights(options, plan.size)),
    options,
  };
}

/** What `read` returns must be the same each time; so far as it costs nothing, that is checked. */
function checkShape(index: number, { shape }: Plan, shapes: Shapes): void {
  const before = (shapes[index] ??= shape);
  if (before.join() === shape.join()) return;
  const text = `"read(${index}).shape" expected [${before.join(", ")}] as before, got [${shape.join(", ")}]`;
  throw rangeError("ERR_BATCHNORM_SHAPE", text);
}

/** What kernels read of a micro-batch: for its moments x alone. */
export function inputsOf({ plan, weights, x, residual }: Part, dy: Data | null = null): Inputs {
  return { plan, isWeighted: weights !== null, arrays: dy ? [x, residual, dy] : [x] };
}

/** Computes gradInput and gradResidual of a micro-batch. */
export function writeGrads(
  way: Way,
  part: Part,
  token: Saved,
  dy: Data,
  coefficients: GradCoefficients,
): Later<{ readonly gradInput: Data; readonly gradResidual: Data | null }> {
  const { dtype, size } = part.plan;
  return way.work(inputsOf(part, dy), (workspaceFor, run) => {
    const dx = outputOf(run, dtype, size, true);
    const dresidual = part.residual && outputOf(run, dtype, size, true);
    const workspace = workspaceFor(part.plan, token.sampleWeights !== null);
    return after(applyGrads(workspace, token, coefficients, { dy, dx, dresidual }), () => ({
      gradInput: run ? run.session.taken(dx) : dx,
      gradResidual: run && dresidual ? run.session.taken(dresidual) : dresidual,
    }));
  });
}
