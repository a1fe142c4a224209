// Run in a process of its own: seeded random arguments of a layer's forward and backward. Arrays lie in one arena, and
// every byte but those of an accepted output is compared after each call. Prints the tally.
import { BatchNorm, type BackendRequest, type BatchNormOptions, type FloatType as DType } from "../../src/index.js";
import type { Floats as Data } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";

const [runs, seed, ...backends] = process.argv.slice(2);
const next = random(Number(seed));
const chance = (probability: number): boolean => next() < probability;
const below = (limit: number): number => Math.floor(next() * limit);
const one = <T>(values: readonly T[]): T => values[below(values.length)]!;

const ARENA = 1 << 13;
const arenas = [new ArrayBuffer(ARENA), new SharedArrayBuffer(ARENA)].map((memory) => memory as ArrayBuffer);
const copies = new Map(arenas.map((memory) => [memory, Buffer.alloc(ARENA)]));
for (const memory of arenas) new Float32Array(memory).forEach((_, i, all) => (all[i] = next() - 0.5));

const JUNK: readonly unknown[] = [
  ...[undefined, null, 0, -1, 1.5, NaN, 2 ** 53, "x", "", true, 1n, Symbol("x"), () => 1],
  ...[{}, [], [2, 3], [[2]], new Int32Array(6), new DataView(new ArrayBuffer(8)), new ArrayBuffer(8)],
  ...[new Float32Array(0), new Float64Array(6), new Proxy({}, {}), { data: new Float32Array(6) }, { shape: [2, 3] }],
  ...[
    { data: new Float32Array(6), shape: [2 ** 30, 2 ** 30, 2 ** 30] },
    { data: 1, dims: [1, 2] },
  ],
];
const maybe = (good: unknown): unknown => (chance(0.04) ? one(JUNK) : good);

interface Layer {
  readonly layer: BatchNorm<DType>;
  readonly dtype: DType;
  readonly shape: number[];
}

function randomLayer(): Layer {
  const dtype = one<DType>(["float32", "float64"]);
  const shape = [below(6), 1 + below(4), below(5), 1 + below(4)].slice(0, 2 + below(3));
  const options: BatchNormOptions<DType> = {
    dtype,
    backend: one(backends) as BackendRequest,
    activation: one(["none", "relu"]),
    affine: chance(0.7),
    reuse: chance(0.3),
    trackRunningStats: chance(0.8),
    singleValue: one(["allow", "error"]),
  };
  return { dtype, shape, layer: new BatchNorm<DType>(shape[1]!, options) };
}

/** A view of the arena of the tensor's length, or nearly; or a tensor of it; or junk. */
function operand({ dtype, shape }: Layer, memory: ArrayBuffer): unknown {
  const View = chance(0.03) ? one([Float32Array, Float64Array]) : dtype === "float32" ? Float32Array : Float64Array;
  const length = Math.max(0, shape.reduce((a, b) => a * b, 1) + (chance(0.03) ? below(3) - 1 : 0));
  const room = ARENA / View.BYTES_PER_ELEMENT - length;
  const view = new View(memory, View.BYTES_PER_ELEMENT * (chance(0.3) ? 8 : below(room)), length);
  return maybe(chance(0.8) ? view : { data: view, [one(["shape", "dims"])]: maybe([...shape]) });
}

function options(layer: Layer, memory: ArrayBuffer, names: readonly string[]): unknown {
  const given = names.filter(() => chance(0.4)).map((name) => [name, value(name)] as const);
  function value(name: string): unknown {
    if (name === "save") return maybe(chance(0.8));
    if (name === "need")
      return maybe({ input: chance(0.8), weight: chance(0.5), bias: chance(0.5), residual: chance(0.8) });
    if (name !== "accumulate" && name !== "saved") return operand(layer, memory);
    return chance(0.9) ? undefined : one(JUNK);
  }
  return maybe(Object.fromEntries(given));
}

const tally: Record<string, number> = { results: 0, errors: 0, escapes: 0 };
const codes = new Set<string>();
const stateOf = ({ layer }: Layer): string =>
  JSON.stringify(layer.stateDict(), (_, field: unknown) =>
    ArrayBuffer.isView(field) ? (field as Data).join() : field,
  );

/** Where a result lies in the arena, a call may have written. */
function allow(copy: Buffer, memory: ArrayBuffer, output: unknown): void {
  const data = (ArrayBuffer.isView(output) ? output : (output as { data?: unknown } | null)?.data) as Data | undefined;
  if (data?.buffer === memory) copy.set(new Uint8Array(memory, data.byteOffset, data.byteLength), data.byteOffset);
}

/** An error with a code that changes nothing, or a result that changes only itself. */
function attempt(subject: Layer, memory: ArrayBuffer, call: () => readonly unknown[]): void {
  const copy = copies.get(memory)!;
  copy.set(new Uint8Array(memory));
  const before = stateOf(subject);
  try {
    for (const output of call()) allow(copy, memory, output);
    tally.results!++;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (typeof code !== "string" || !code.startsWith("ERR_BATCHNORM_")) throw error;
    if (stateOf(subject) !== before) throw new Error("a refused call changed the layer", { cause: error });
    codes.add(code);
    tally.errors!++;
  }
  if (!Buffer.from(memory).equals(copy)) tally.escapes!++;
}

type Loose = (...args: unknown[]) => unknown;
let subject = randomLayer();
for (let run = 0; run < Number(runs); run++) {
  if (chance(0.2)) subject = randomLayer();
  const { layer, shape } = subject;
  const memory = one(arenas);
  layer.training = chance(0.8);
  const x = operand(subject, memory);
  const rest = [
    ...(ArrayBuffer.isView(x) ? [maybe([...shape])] : []),
    options(subject, memory, ["out", "residual", "save"]),
  ];
  if (chance(0.02)) rest.reverse();
  attempt(subject, memory, () => [(layer.forward as Loose).call(layer, x, ...rest)]);
  const dy = operand(subject, memory);
  const names = ["out", "residualOut", "saved", "accumulate", "need"];
  const given = options(subject, memory, names);
  attempt(subject, memory, () => {
    const { gradInput, gradResidual } = (layer.backward as Loose).call(layer, dy, given) as Record<string, unknown>;
    return [gradInput, gradResidual];
  });
}
console.log(JSON.stringify({ ...tally, messages: [...codes].sort() }));
