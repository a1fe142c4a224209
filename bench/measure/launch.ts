// A process of its own that times all groups of a plan: which cores its threads land on is luck, so main.ts starts
// several and takes their medians. Options, with the seconds of this launch, come as a message; progress and rows go
// back as messages.
import { lengthOf } from "../shapes.js";
import { makeCases, nameOf, yardstick, type TimedCase } from "./cases.js";
import { measure, type Bounds } from "./benny.js";
import { checkBits } from "./check.js";
import { loadCopies, type Copies } from "./copy.js";
import type { Options } from "../options.js";
import { isHuge, kernelOf, planGroups, weightOf, type Group, type Setting } from "../plan.js";
import { rowOf, typeOf, type Row } from "../report/rows.js";
import { collectGarbage, makeTensors, type Occasion, type Tensors } from "./tensors.js";

export type Message = { readonly done: string } | { readonly rows: readonly Row[] } | { readonly error: string };

function boundsOf({ quick }: Options, { shape }: Setting): Omit<Bounds, "seconds"> {
  const isSmall = lengthOf(shape) < 2 ** 17;
  const warmUpSeconds = isHuge(shape) ? 0 : isSmall ? 0.1 : 0.01;
  // Small garbage is left to the collector.
  const prepare = isSmall ? {} : { prepare: collectGarbage };
  return quick
    ? { least: 2, most: 10, secondsPerCase: 0.005, warmUpSeconds: warmUpSeconds / 4, ...prepare }
    : { least: 2, most: 40, secondsPerCase: 0.02, warmUpSeconds, ...prepare };
}

function titleOf(group: Group): string {
  const { shape, layout, data, sweep } = group;
  return [sweep ? "sweep" : shape.name, shape.shape.join("×"), layout, typeOf(group), data].join(" ");
}

/** A sweep goes on to sizes where the slowest backends take seconds. */
const MOST_MS = 1000;
/** What takes longer is timed in the first round alone: three calls. */
const SLOW_MS = 100;

function casesOf(group: Group, tensors: Tensors, copies: Copies): TimedCase[] {
  const kernels = [...new Set(group.operations.map(kernelOf))];
  const cases = makeCases(group, tensors, copies, checkBits(group, tensors, group.contenders, kernels));
  return group.sweep ? cases.filter(({ checkedMs }) => checkedMs <= MOST_MS) : cases;
}

function isOnce({ shape, sweep }: Group, { out, checkedMs }: TimedCase): boolean {
  return sweep ? checkedMs > SLOW_MS : out === "fresh" && isHuge(shape);
}

async function timeGroup(
  group: Group,
  tensorsOf: (occasion: Occasion) => Tensors,
  copies: Copies,
  end: number,
  bounds: Omit<Bounds, "seconds">,
): Promise<Row[]> {
  const tensors = tensorsOf(group);
  const cases = casesOf(group, tensors, copies);
  const runs = new Map(cases.map((one) => [nameOf(one), one.run]));
  const once = new Set(cases.filter((one) => isOnce(group, one)).map(nameOf));
  const samples = await measure(runs, { ...bounds, once, seconds: (end - performance.now()) / 1000 });
  const { shape, layout, data, dtype, variant } = group;
  return cases.map(({ op, backend, threads, memory, out }) => {
    const id = { op, shape: shape.name, layout, dtype, variant, backend, threads, memory, data, out } as const;
    const copy = nameOf({ op: "copy", backend: yardstick(copies), threads, memory: "ordinary", out: "given" });
    return rowOf(id, samples.get(nameOf(id))!, tensors.x.byteLength, samples.get(copy)!);
  });
}

/** Divides the time that is left among the groups that are left. */
async function timeAll(options: Options, report: (message: Message) => void): Promise<Row[]> {
  const groups = planGroups(options);
  const copies = loadCopies();
  const tensorsOf = makeTensors(groups);
  const end = performance.now() + options.seconds * 1000;
  const rows: Row[] = [];
  let weight = groups.reduce((sum, group) => sum + weightOf(group), 0);
  for (const group of groups) {
    const start = performance.now();
    const share = (Math.max(0, end - start) * weightOf(group)) / weight;
    rows.push(...(await timeGroup(group, tensorsOf, copies, start + share, boundsOf(options, group))));
    weight -= weightOf(group);
    report({ done: titleOf(group) });
  }
  return rows;
}

/** Resolves when the message is on its way. */
function send(message: Message): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, undefined, undefined, (error: Error | null) => (error ? reject(error) : resolve()));
  });
}

async function serve(options: Options): Promise<void> {
  try {
    await send({ rows: await timeAll(options, (message) => void send(message)) });
  } catch (error) {
    await send({ error: error instanceof Error ? error.message : String(error) });
  }
  process.disconnect();
}

process.once("message", (options: Options) => void serve(options));
// Also where main.ts has gone.
process.once("disconnect", () => process.exit());
