// PyTorch in a process of its own, which pytorch.py runs and which times its calls itself.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Operation } from "../shapes.js";
import { Python } from "./python.js";
import type { Peer, Prepared, Problem, Result, Task } from "./peer.js";

const program = fileURLToPath(new URL("pytorch.py", import.meta.url));
/** The first may be a version manager's, without Debian's packages. */
const PYTHONS = ["python3", "/usr/bin/python3"];

function readFloats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

const NAMES = ["x", "dy", "weight", "bias", "runningMean", "runningVar", "mean", "invStd"] as const;

async function prepare(python: Python, folder: string, threads: number, problem: Problem): Promise<Prepared> {
  const { setting, shape, eps, x, weight } = problem;
  const files = Object.fromEntries(NAMES.map((name) => [name, join(folder, name)]));
  for (const name of NAMES) writeFileSync(files[name]!, problem[name]);
  await python.ask({ do: "prepare", shape, last: setting.layout === "channels-last", eps, files });
  const result = async (operation: Operation): Promise<Result> => {
    const names = operation === "backward" ? ["out", "gradWeight", "gradBias"] : ["out"];
    const paths = names.map((name) => join(folder, name));
    const sizes = [x.byteLength, weight.byteLength, weight.byteLength];
    paths.forEach((path, i) => writeFileSync(path, new Uint8Array(sizes[i]!)));
    await python.ask({ do: "write", files: paths });
    const [out, gradWeight, gradBias] = paths.map(readFloats);
    return { out: out!, ...(gradWeight && { gradWeight }), ...(gradBias && { gradBias }) };
  };
  const task = (operation: Operation): Task => ({
    sample: async (calls) => Number((await python.ask({ do: "sample", operation, threads, calls })).ms),
    result: () => result(operation),
  });
  return {
    tasks: { forward: task("forward"), inference: task("inference"), backward: task("backward") },
    dispose: () => undefined,
  };
}

/** The first interpreter that has torch. @throws Error with the reason of the last one. */
async function start(): Promise<{ python: Python; version: string }> {
  let failure: unknown;
  for (const command of PYTHONS) {
    const python = new Python(command, program);
    try {
      return { python, version: String((await python.answer()).version) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

export async function loadTorch(): Promise<Peer[]> {
  const { python, version } = await start();
  const folder = mkdtempSync(join(tmpdir(), "batchnorm-peers-"));
  const close = (): void => {
    python.end();
    rmSync(folder, { recursive: true, force: true });
  };
  const counts = [...new Set([1, availableParallelism()])];
  return counts.map((threads, i) => ({
    name: "pytorch",
    version,
    threads,
    prepare: (problem) => prepare(python, folder, threads, problem),
    // One process for all counts.
    ...(i === 0 && { close }),
  }));
}
