// The versions of ONNX's BatchNormalization since opset 7, as the operators' changelog has them:
// https://github.com/onnx/onnx/blob/main/docs/Changelog.md
import { checkInteger } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { DType } from "../base/types.js";

/** The inputs, whose names are those of opsets 14 and later. */
export const INPUTS = ["X", "scale", "B", "input_mean", "input_var"] as const;
export type InputName = (typeof INPUTS)[number];

/** What a version of the operator has. */
export interface Version {
  readonly since: number;
  readonly attributes: readonly string[];
  readonly dtypes: readonly DType[];
  /** Inputs that have one type. */
  readonly alike: readonly (readonly InputName[])[];
  /** The number of outputs in training. */
  readonly outputs: 3 | 5;
  /** Whether X may be a vector, of one channel. */
  readonly takesVectors: boolean;
}

const OLD: readonly DType[] = ["float16", "float32", "float64"];
const NEW: readonly DType[] = [...OLD, "bfloat16"];
const STATISTICS = ["input_mean", "input_var"] as const;

/** The newest version is the first. */
const VERSIONS: readonly Version[] = [
  {
    since: 15,
    attributes: ["epsilon", "momentum", "training_mode"],
    dtypes: NEW,
    alike: [["scale", "B"], STATISTICS],
    outputs: 3,
    takesVectors: true,
  },
  {
    since: 14,
    attributes: ["epsilon", "momentum", "training_mode"],
    dtypes: NEW,
    alike: [["X", "scale", "B"], STATISTICS],
    outputs: 3,
    takesVectors: true,
  },
  { since: 9, attributes: ["epsilon", "momentum"], dtypes: OLD, alike: [INPUTS], outputs: 5, takesVectors: true },
  {
    since: 7,
    attributes: ["epsilon", "momentum", "spatial"],
    dtypes: OLD,
    alike: [INPUTS],
    outputs: 5,
    takesVectors: false,
  },
];

/** The version of the operator in an opset: the newest that is not newer. */
export function versionOf(opset: unknown): Version {
  const number = checkInteger("opset", opset, 1);
  const version = VERSIONS.find(({ since }) => since <= number);
  if (version) return version;
  throw rangeError(
    "ERR_BATCHNORM_VALUE",
    `"opset" expected 7 or more, got ${number}: convert the model to a newer one`,
  );
}

/** Checks the types of the inputs. */
export function checkTypes({ since, dtypes, alike }: Version, types: Readonly<Record<InputName, DType>>): void {
  const where = `in opset ${since}`;
  for (const name of INPUTS)
    if (!dtypes.includes(types[name]))
      throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected ${dtypes.join(" or ")} ${where}, got ${types[name]}`);
  for (const [first, ...others] of alike)
    for (const name of others)
      if (types[name] !== types[first!])
        throw typeError(
          "ERR_BATCHNORM_TYPE",
          `"${name}" expected ${types[first!]} as "${first}" is, ${where}, got ${types[name]}`,
        );
}

/** Checks the number of outputs that a call asks for, and says whether they are those of training. */
export function outputsOf(
  { since, outputs }: Version,
  asked: unknown,
  trainingMode: unknown,
): { readonly training: boolean; readonly count: number } {
  const isNew = outputs === 3;
  const training = isNew ? trainingMode === 1 : asked !== undefined && asked !== 1;
  const most = training ? outputs : 1;
  const count = checkInteger("outputs", asked === undefined ? most : asked, 1);
  if (count <= most) return { training, count };
  const hint = isNew && !training ? `: more belong to "training_mode" 1` : "";
  throw rangeError("ERR_BATCHNORM_VALUE", `"outputs" expected at most ${most} in opset ${since}, got ${count}${hint}`);
}
