// The test vectors of docs/contract.md, read from the page itself and run through the specification.
import { readFileSync } from "node:fs";
import {
  backward,
  forward,
  fromOutput,
  narrow,
  round,
  runningVariance,
  sumSquaredWeights,
  updateRunning,
  type Curve,
  type DType,
  type Extent,
  type Moments,
  type Numbers,
  type Options,
} from "./specification.js";

/** What stands in a block: a first line, then what is given, then what must come out, each by name. */
export interface Vector {
  /** The heading above it, and which block under that heading it is. */
  readonly title: string;
  readonly head: readonly string[];
  readonly given: ReadonlyMap<string, string>;
  readonly expected: ReadonlyMap<string, string>;
}

const PAGE = new URL("../../docs/contract.md", import.meta.url);

/** "name = value" lines, those of results with an arrow in front. */
function vectorOf(title: string, block: string): Vector {
  const [head = "", ...lines] = block.trim().split("\n");
  const entries = lines.map((line) => /^(-> )?(\w+) = (.*)$/.exec(line));
  const named = (isResult: boolean): Map<string, string> =>
    new Map(entries.filter((entry) => (entry![1] !== undefined) === isResult).map((entry) => [entry![2]!, entry![3]!]));
  return { title, head: head.split(" "), given: named(false), expected: named(true) };
}

export function readVectors(): Vector[] {
  const sections = readFileSync(PAGE, "utf8").split(/^### /m).slice(1);
  return sections.flatMap((section) => {
    const title = section.slice(0, section.indexOf("\n"));
    const blocks = [...section.matchAll(/^```vector\n([^`]*)```$/gm)];
    return blocks.map((block, i) => vectorOf(blocks.length === 1 ? title : `${title}, ${i + 1}`, block[1]!));
  });
}

/** A decimal, a hexadecimal integer, or a hexadecimal float as C has them: 0x1.8p-3. */
function numberOf(text: string): number {
  const match = /^(-?)0x([0-9a-f]+)(?:\.([0-9a-f]+))?p([-+]\d+)$/.exec(text);
  if (!match) return Number(text);
  const [, sign, whole, fraction = "", exponent] = match;
  const magnitude = parseInt(whole! + fraction, 16) * 2 ** (Number(exponent) - 4 * fraction.length);
  return sign ? -magnitude : magnitude;
}

/** Numbers; "7*3" is three sevens. */
export function numbersOf(text: string): number[] {
  return text.split(" ").flatMap((part) => {
    const [value = "", times = "1"] = part.split("*");
    return new Array<number>(Number(times)).fill(numberOf(value));
  });
}

type Results = Record<string, Numbers>;

function storeResults(dtype: DType, values: Numbers): Results {
  return { bits: Array.from(values, (v) => narrow(dtype as "float16" | "bfloat16", v)) };
}

function optionsOf(dtype: DType, extent: Extent, { given }: Vector): Options {
  const table = (name: string): number[] | null => (given.has(name) ? numbersOf(given.get(name)!) : null);
  const [kind = "", ...parameters] = (given.get("activation") ?? "none").split(" ");
  const isRectifier = ["none", "relu", "leaky"].includes(kind);
  const [low = 0, high = 0] = parameters.map(Number);
  const fixed = table("fixedVariance")?.map((m2, c): Moments => ({ count: 1, mean: table("fixedMean")![c]!, m2 }));
  return {
    extent,
    dtype,
    eps: table("eps")?.[0] ?? 0,
    gamma: table("gamma"),
    beta: table("beta"),
    residual: table("residual"),
    slope: kind === "none" ? null : low,
    curve: isRectifier ? null : { name: kind as Curve["name"], low, high, slopes: parameters.map(Number) },
    w: table("w"),
    maskedOutput: given.get("maskedOutput") === "zero" ? "zero" : "normalize",
    given: fixed ?? null,
    isFixed: fixed !== undefined,
  };
}

/** A forward; with dy its backward too, and with a momentum what becomes of the running statistics. */
function passResults(dtype: DType, extent: Extent, vector: Vector): Results {
  const { given } = vector;
  const table = (name: string): number[] => numbersOf(given.get(name)!);
  const options = optionsOf(dtype, extent, vector);
  const { affine, y } = forward(table("x"), options);
  const W2 = options.w ? sumSquaredWeights(extent, options.w) : extent.outer * extent.inner;
  const results: Results = {
    W: affine.map(({ count }) => count),
    W2: [W2],
    mean: affine.map(({ mean }) => mean),
    m2: affine.map(({ m2 }) => m2),
    r: affine.map(({ r }) => r),
    y,
  };
  if (given.has("dy")) {
    const keepsY = given.get("keep") === "output";
    const [x, stats] = keepsY ? fromOutput(y, affine, options) : [table("x"), affine];
    const { channels, dx, dresidual } = backward(x, keepsY ? y : null, table("dy"), stats, options);
    for (const name of ["dgamma", "dbeta", "s", "t"] as const) results[name] = channels.map((one) => one[name]);
    Object.assign(results, { dx, dresidual, dslope: channels.map(({ slopeSum }) => round(dtype, slopeSum)) });
  }
  if (given.has("momentum")) {
    const factor = table("momentum")[0]!;
    const moved = (name: string, batch: (stats: Moments) => number): number[] =>
      table(name).map((old, c) => {
        const stats = affine[c]!;
        return stats.count === 0 ? old : updateRunning(dtype, old, batch(stats), factor);
      });
    results.runningMean = moved("runningMean", ({ mean }) => mean);
    results.runningVar = moved("runningVar", (stats) => runningVariance(stats, W2));
  }
  return results;
}

/** Everything that the specification has for a vector. */
export function resultsOf(vector: Vector): Results {
  const [first, second = ""] = vector.head;
  if (first === "store") return storeResults(second as DType, numbersOf(vector.given.get("v")!));
  if (first === "running") {
    const [running, batch, momentum] = ["running", "batch", "momentum"].map((name) =>
      numbersOf(vector.given.get(name)!),
    );
    return { running: running!.map((old, c) => updateRunning(second as DType, old, batch![c]!, momentum![0]!)) };
  }
  const [outer = 0, channels = 0, inner = 0] = second.split("×").map(Number);
  return passResults(first as DType, { outer, channels, inner }, vector);
}
