// The declarations: what publint and attw say of the package, and TypeScript from 5.2 to 7.0, strict, without skipLibCheck.
import { join } from "node:path";
import { succeed } from "./programs.js";
import type { Context, Environment } from "./environment.js";

const TYPESCRIPTS = { "5.2": "5.2.2", "5.9": "5.9.3", "6.0": "6.0.3", "7.0": "7.0.2" } as const;

const PROGRAM = `import {
  BatchNorm, backends, batchNormBackward, batchNormDoubleBackward, batchNormGradCoefficients, batchNormGradInput,
  batchNormGradSums, batchNormTraining, createArena, createBackend, type ArrayOf, type Gradients, type ShapeTensor,
} from "batchnorm";
import { mergeMoments } from "batchnorm/math";
import { foldIntoConv, scaleShift } from "batchnorm/fold";
import { findBatchNorms, load, save } from "batchnorm/safetensors";
import * as json from "batchnorm/json";
import * as onnx from "batchnorm/onnx";
import * as pytorch from "batchnorm/pytorch";
import * as keras from "batchnorm/keras";
import { bindTfjs, type TfjsCore, type TfjsTensor } from "batchnorm/tfjs";
import { SyncBatchNorm, convertSyncBatchNorm, sharedGroup, singleGroup, workerGroup, type Group } from "batchnorm/sync";

declare const tf: TfjsCore & { tensor(values: number[]): { rank: number } };
export const rank: (x: TfjsTensor<typeof tf>) => number = (x) => bindTfjs(tf).batchNorm(x, { training: true }).rank;
const bn = new BatchNorm(2, { dtype: "float64", activation: { type: "leaky-relu", slope: 0.1 } });
const y: Float64Array = bn.forward(new Float64Array(8), [4, 2]);
const tensor: ShapeTensor<"float64"> = bn.forward({ data: y, shape: [4, 2] });
const gradients: Gradients<"float64"> = bn.backward(y);
const half: ArrayOf<"float16"> = new BatchNorm(2, { dtype: "float16" }).forward(new Uint16Array(8), [4, 2]);
const arena = createArena(1 << 20);
const status: "in use" | "available" | "unavailable" | "rejected" = backends()[0]!.status;
export const values = [gradients, half, arena.float32(4), status, mergeMoments, createBackend];
const training = batchNormTraining(new Float32Array(8), Int32Array.of(4, 2));
export const gradInput: Float32Array = batchNormBackward(new Float32Array(8), training.saved).gradInput;
export const none: null = batchNormTraining(y, [4, 2], { save: false }).saved;
new BatchNorm(2, { threads: undefined, momentum: undefined, decay: 0.9 });
export function generic<A extends Float32Array | Float64Array>(x: A, gradOutput: A): object {
  const { saved } = batchNormTraining(x, [4, 2]);
  const coefficients = batchNormGradCoefficients(saved, batchNormGradSums(gradOutput, saved));
  const parts = batchNormGradInput(gradOutput, saved, coefficients);
  return { parts, ...batchNormBackward(gradOutput, saved), ...batchNormDoubleBackward(saved, gradOutput, { gradGradInput: x }) };
}
export async function files(): Promise<object> {
  const loaded: BatchNorm<"float64"> = await load(save({ "bn.": bn }), "bn.", { dtype: "float64" });
  const { weight, bias } = foldIntoConv({ weight: { data: new Float32Array(8), shape: [2, 2, 2] } }, bn.stateDict());
  const folded: { data: Float32Array; bias: Float32Array } = { data: weight.data, bias };
  const other: Float64Array = foldIntoConv({ weight: { data: new Uint16Array(8), dims: [2, 2, 2] }, bias: y }, bn).bias;
  return { loaded, folded, other, map: scaleShift(bn), text: json.save(bn), found: await findBatchNorms(new Uint8Array(8)) };
}
const x32 = { data: new Float32Array(8), dims: [4, 2], type: "float32" } as const;
const Y: Float32Array = onnx.onnxBatchNormalization(15, [x32, x32, x32, x32, x32])[0].data;
const [, running_mean] = onnx.onnxBatchNormalization(15, [x32, x32, x32, x32, x32], { training_mode: 1 });
export const operated: [Float32Array, Float32Array] = [Y, running_mean.data];
export const view: ShapeTensor<"float64"> = bn.forward({ data: y, shape: [4, 2], stride: [1, 4], offset: 0 });
export async function others(): Promise<object> {
  const loaded: BatchNorm<"float64"> = await pytorch.load(pytorch.save(bn), "", { dtype: "float64" });
  const file: keras.KerasCheckpoint = await keras.open(await keras.save({ "bn/": loaded }));
  return keras.fromWeights(keras.toWeights(await keras.load(file, "bn/")), { eps: 1e-3 });
}
const custom: Group = { rank: 0, size: 1, allGather: (values) => Promise.resolve(values.slice()) };
export const synchronized: SyncBatchNorm<"float64"> = convertSyncBatchNorm(bn, singleGroup(), { exact: false });
export const later: Promise<Float32Array> = new SyncBatchNorm(2, { group: custom, eps: 1e-3 }).forwardAsync(new Float32Array(8), [4, 2]);
export const thread = workerGroup(sharedGroup(1), 0).allGather(new Float64Array(1)).length;
// @ts-expect-error Options that exclude each other.
new BatchNorm(2, { momentum: 0.1, decay: 0.9 });
// @ts-expect-error Options that exclude each other.
new BatchNorm(2, { affine: true, bias: false });
// @ts-expect-error Options that exclude each other.
new BatchNorm(2, { axis: 1, layout: "channels-last" });
// @ts-expect-error Options that exclude each other.
batchNormTraining(y, [4, 2], { residual: y, save: "output" });
// @ts-expect-error Options that exclude each other.
bn.forward(y, [4, 2], { residual: y, save: "output" });
batchNormTraining(y, [4, 2], { residual: y, save: true });
bn.forward(y, [4, 2], { save: "output" });
// @ts-expect-error An option that there is not.
new BatchNorm(2, { epsilon: 1e-5 });
// @ts-expect-error Data of another type.
bn.forward(new Float32Array(8), [4, 2]);
`;

const settings = (module: string, resolution: string, lib: readonly string[]): string =>
  JSON.stringify({
    compilerOptions: {
      ...{ module, moduleResolution: resolution, target: "ES2022", lib },
      ...{ strict: true, noEmit: true, skipLibCheck: false, types: [], exactOptionalPropertyTypes: true },
    },
    files: resolution === "bundler" ? ["program.ts"] : ["program.ts", "program.cts"],
  });

/** As ES modules and as CommonJS, by Node's resolution and by bundlers'. */
async function compile(context: Context, version: string): Promise<string> {
  const tools = context.tools(`typescript-${version}`, [`typescript@${version}`]);
  const tsc = join(tools, "node_modules", "typescript", "bin", "tsc");
  const resolutions = { node16: "node16", nodenext: "nodenext", bundler: "esnext" };
  const libs = { dom: ["ES2022", "DOM"], plain: ["ES2022"] };
  const projects = Object.entries(resolutions).flatMap(([name, module]) =>
    Object.entries(libs).map(([lib, names]) => [`${name}-${lib}.json`, settings(module, name, names)] as const),
  );
  const cwd = context.folder({
    "package.json": '{ "type": "module", "private": true }\n',
    "program.ts": `${PROGRAM}import module from "batchnorm/wasm";\ncreateBackend(module);\n`,
    "program.cts": PROGRAM,
    ...Object.fromEntries(projects),
  });
  for (const [file] of projects) await succeed(context, process.execPath, [tsc, "-p", file], { cwd });
  return `${Object.keys(resolutions).join(", ")}, with and without DOM`;
}

/** Entry and arguments of a checker of packages. */
interface Checker {
  readonly name: string;
  readonly version: string;
  readonly program: string;
  readonly args: (tarball: string) => readonly string[];
}

const CHECKERS: readonly Checker[] = [
  { name: "publint", version: "0.3.25", program: "src/cli.js", args: (tarball) => ["run", "--strict", tarball] },
  {
    name: "@arethetypeswrong/cli",
    version: "0.18.5",
    program: "dist/index.js",
    // Node 10's resolution knows no exports; wasm is no JavaScript, whose kind attw asks for.
    args: (tarball) => [tarball, "--profile", "node16", "--exclude-entrypoints", "./wasm", "--format", "ascii"],
  },
];

async function check(context: Context, { name, version, program, args }: Checker): Promise<string> {
  const tools = context.tools(name.replaceAll("/", "-"), [`${name}@${version}`]);
  const path = join(tools, "node_modules", name, program);
  await succeed(context, process.execPath, [path, ...args(context.tarball)]);
  return "no complaint";
}

export const environments: readonly Environment[] = [
  ...Object.entries(TYPESCRIPTS).map(([name, version]): Environment => ({
    name: `TypeScript ${name}`,
    run: (context) => compile(context, version),
  })),
  ...CHECKERS.map((checker): Environment => ({ name: checker.name, run: (context) => check(context, checker) })),
];
