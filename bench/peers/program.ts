// Peers that are programs: each runs in a process for each number of threads, and times its calls itself. It answers a line
// of words with a line, and tensors come and go as files of a folder.
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Operation } from "../shapes.js";
import type { Peer, Prepared, Problem, Result, Task } from "./peer.js";
import { THREADS } from "./threads.js";

/** glibc's malloc keeps the memory of freed outputs for the next ones, in the place of page faults on every call. */
const KEEP_MEMORY = { MALLOC_MMAP_MAX_: "0", MALLOC_TRIM_THRESHOLD_: String(2 ** 40) };

interface Waiting {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
}

/** One command at a time, one answer to each. */
class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #errors = "";
  #ended: Error | undefined;
  #waiting: Waiting | undefined;

  constructor(command: string, args: readonly string[], threads: number) {
    this.#child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...KEEP_MEMORY, OMP_NUM_THREADS: String(threads) },
    });
    createInterface(this.#child.stdout).on("line", (line) => this.#settle()?.resolve(line));
    this.#child.stderr.on("data", (text: Buffer) => (this.#errors += text.toString()));
    // What is written to a process that ended is answered by its end.
    this.#child.stdin.on("error", () => undefined);
    this.#child.once("error", (error) => this.#end(error));
    this.#child.once("close", () => {
      const reason = this.#errors.trim().split("\n").at(-1);
      this.#end(new Error(`${command}: ${reason === "" ? "ended without a word" : reason}`));
    });
  }

  #settle(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#settle()?.reject(this.#ended);
  }

  /** The answer to the last command, or at first the program's version. */
  answer(): Promise<string> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  ask(...words: readonly (string | number)[]): Promise<string> {
    this.#child.stdin.write(`${words.join(" ")}\n`);
    return this.answer();
  }

  end(): void {
    this.#child.stdin.end();
  }
}

const GIVEN = ["x", "dy", "weight", "bias", "runningMean", "runningVar", "mean", "invStd"] as const;

function readFloats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer, byteOffset, byteLength / 4);
}

/** One for all programs, which take turns. */
const folder = fileURLToPath(new URL(`../../build/bench/tensors-${process.pid}`, import.meta.url));
let written: Problem | undefined;

/** A problem's tensors, once for all programs. */
function writeProblem(problem: Problem): void {
  if (written === problem) return;
  mkdirSync(folder, { recursive: true });
  for (const name of GIVEN) writeFileSync(join(folder, name), problem[name]);
  written = problem;
}

async function prepare(program: Program, problem: Problem): Promise<Prepared> {
  writeProblem(problem);
  await program.ask("prepare", problem.setting.layout, problem.eps, ...problem.shape);
  const result = async (operation: Operation): Promise<Result> => {
    const names = operation === "backward" ? ["out", "gradWeight", "gradBias"] : ["out"];
    await program.ask("write", ...names);
    const [out, gradWeight, gradBias] = names.map((name) => readFloats(join(folder, name)));
    return { out: out!, ...(gradWeight && { gradWeight }), ...(gradBias && { gradBias }) };
  };
  const task = (operation: Operation): Task => ({
    sample: async (calls) => Number(await program.ask("sample", operation, calls)),
    result: () => result(operation),
  });
  return {
    tasks: { forward: task("forward"), inference: task("inference"), backward: task("backward") },
    dispose: () => undefined,
  };
}

/** A peer for each number of threads. The program's last argument is the folder. @throws Error where it does not start. */
export async function loadProgram(name: string, command: string, args: readonly string[]): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const threads of THREADS) {
    const program = new Program(command, [...args, folder], threads);
    const version = await program.answer();
    const close = (): void => {
      program.end();
      rmSync(folder, { recursive: true, force: true });
      written = undefined;
    };
    peers.push({ name, version, threads, prepare: (problem) => prepare(program, problem), close });
  }
  return peers;
}
