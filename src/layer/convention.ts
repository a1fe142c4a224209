// What frameworks mean by the same words. Each row is a set of defaults; every one of them can be overridden.
import type { Layout } from "../base/axes.js";
import { rangeError } from "../base/errors.js";
import type { SingleValue } from "./options.js";

/**
 * The framework whose defaults and whose meaning of `momentum` a layer has.
 *
 * | | `"torch"` | `"keras"` | `"tf-fused"` | `"onnx"` |
 * | --- | --- | --- | --- | --- |
 * | `momentum` is the weight of | the new batch | the old statistics | the old statistics | the old statistics |
 * | `momentum` | 0.1 | 0.99 | 0.99 | 0.9 |
 * | `eps` | 1e-5 | 1e-3 | 1e-3 | 1e-5 |
 * | `correction` | 1 | 0 | 1 | 0 |
 * | `layout` | channels-first | channels-last | channels-last | channels-first |
 * | `singleValue` | error | allow | allow | allow |
 *
 * Sources: torch.nn.BatchNorm2d; keras.layers.BatchNormalization of Keras 3; TensorFlow's FusedBatchNormV3, as the Keras
 * layer of TensorFlow 2 called it; ONNX BatchNormalization, opset 15.
 */
export type Convention = "torch" | "keras" | "tf-fused" | "onnx";

/** What a convention says. */
export interface ConventionRow {
  readonly momentum: number;
  /** Whether momentum is the weight of the old statistics. */
  readonly weighsOld: boolean;
  readonly eps: number;
  readonly correction: 0 | 1;
  readonly layout: Layout;
  readonly singleValue: SingleValue;
}

const first = { layout: "channels-first" } as const;
const last = { layout: "channels-last" } as const;
const ofOld = { weighsOld: true, singleValue: "allow" } as const;

export const CONVENTIONS: Readonly<Record<Convention, ConventionRow>> = {
  torch: { momentum: 0.1, weighsOld: false, eps: 1e-5, correction: 1, singleValue: "error", ...first },
  keras: { momentum: 0.99, eps: 1e-3, correction: 0, ...ofOld, ...last },
  "tf-fused": { momentum: 0.99, eps: 1e-3, correction: 1, ...ofOld, ...last },
  onnx: { momentum: 0.9, eps: 1e-5, correction: 0, ...ofOld, ...first },
};

export const CONVENTION_NAMES = Object.keys(CONVENTIONS) as readonly Convention[];

/** The settings of a layer that a convention may have no word for. */
interface Convertible {
  readonly convention: Convention;
  readonly momentum: unknown;
  readonly correction: 0 | 1;
  readonly singleValue: SingleValue;
}

function refuse(what: string, to: Convention, why: string): never {
  throw rangeError("ERR_BATCHNORM_OPTION", `${what} has no equal in the convention "${to}": ${why}`);
}

/** Refuses, by its name, a setting that the convention has no word for. `isChosen`: the caller says which correction. */
export function checkConvertible(layer: Convertible, to: Convention, isChosen: boolean): void {
  if (to === "torch") return;
  const row = CONVENTIONS[to];
  if (layer.momentum === null) refuse(`"momentum" null`, to, "it has no mean over all batches; assign a number first");
  if (layer.singleValue === "running" || layer.singleValue === "skip")
    refuse(`"singleValue" "${layer.singleValue}"`, to, "it normalizes one value per channel with itself");
  if (layer.correction !== row.correction && !isChosen) {
    const [own, other] = layer.correction === 1 ? ["m - 1", "m"] : ["m", "m - 1"];
    refuse(
      `"correction" ${layer.correction}`,
      to,
      `of m values, the sum of squares is divided by ${own} here and by ${other} there, which is a factor of 2 ` +
        `where m is 2; pass "correction" to say which of them to go on with`,
    );
  }
}
