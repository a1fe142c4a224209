// Several environments in one process, and several processes: worker threads, also ended in the middle of a call, forks,
// and realms of node:vm.
import { expectReport, trainingProgram, trainingScript, type Context, type Environment } from "./environment.js";
import { grows, thirdsOf } from "../support/levels.js";
import { exactly, succeed } from "./programs.js";
import { LINES, node } from "./runtimes.js";

/** Eight at once, each with its own copy of the addon's state, and the main thread among them. */
const WORKERS = `
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import * as batchnorm from "batchnorm";
${trainingScript}
if (isMainThread) {
  for (let i = 0; i < 8; i++) new Worker(new URL(import.meta.url)).on("message", (line) => console.log(line));
  console.log(report(batchnorm, process.version));
} else {
  parentPort.postMessage(report(batchnorm, process.version));
}`;

const FORKS = `
import { fork } from "node:child_process";
for (let i = 0; i < 4; i++) fork("program.mjs", { stdio: "inherit" });
`;

/** What a planted leak keeps of every worker. */
const LEAKED_BYTES = 3 * 2 ** 20;

/**
 * Rounds of a worker that is ended while it computes on the pool's threads; resident memory of each, in megabytes. With
 * an argument, memory of every worker is kept.
 */
const TERMINATED = `
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import * as batchnorm from "batchnorm";
${trainingScript}
const kept = [];
const round = (i) => new Promise((resolve, reject) => {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv.length > 2 });
  worker.on("error", reject);
  worker.on("message", (memory) => kept.push(memory) && setTimeout(() => worker.terminate().then(resolve, reject), i % 8));
});
if (isMainThread) {
  const resident = [];
  for (let i = 0; i < 60; i++) {
    await round(i);
    resident.push(Math.round(process.memoryUsage().rss / 2 ** 20));
  }
  console.log(report(batchnorm, process.version));
  console.log("resident", JSON.stringify(resident));
} else {
  const layer = new batchnorm.BatchNorm(64, { threads: 2 });
  const x = new Float32Array(8 * 64 * 32 * 32).fill(1);
  layer.forward(x, [8, 64, 32, 32]);
  layer.backward(x);
  const memory = new Uint8Array(new SharedArrayBuffer(workerData ? ${LEAKED_BYTES} : 0)).fill(1);
  parentPort.postMessage(memory);
  for (;;) {
    layer.forward(x, [8, 64, 32, 32]);
    layer.backward(x);
  }
}`;

/** The package in the main realm and its user in another, whose typed arrays are others; and the other way round, also with a realm that has nothing but the language. */
const REALMS = `
const vm = require("node:vm");
const { readFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const text = ${JSON.stringify(trainingScript)};
const batchnorm = require("batchnorm");
console.log(vm.runInNewContext(text + "report(batchnorm, version)", { batchnorm, version: process.version }));

const path = require.resolve("batchnorm").replace(/js$/, "cjs");
const parsingContext = vm.createContext({ process, URL, Buffer });
const names = ["module", "exports", "require", "__filename"];
const run = vm.compileFunction(readFileSync(path, "utf8"), names, { parsingContext, filename: path });
const module_ = { exports: {} };
run(module_, module_.exports, createRequire(path), path);
console.log(new Function("batchnorm", text + "; return report(batchnorm, process.version);")(module_.exports));

const bare = vm.compileFunction(readFileSync(path, "utf8"), names, { parsingContext: vm.createContext(), filename: path });
const module__ = { exports: {} };
bare(module__, module__.exports, createRequire(path), path);
console.log(new Function("batchnorm", text + "; return report(batchnorm, process.version);")(module__.exports));
`;

/** Runs a program in every line of Node: so many reports, all alike. */
async function inEveryNode(context: Context, name: string, program: string, reports: number): Promise<string[]> {
  const cwd = context.folder({ [name]: program, "program.mjs": trainingProgram() });
  const outputs: string[] = [];
  for (const line of LINES) {
    const stdout = await succeed(context, node(context, line), [name], { cwd });
    const lines = stdout.split("\n").filter((text) => text.startsWith("{"));
    if (lines.length !== reports) throw new Error(`${lines.length} reports, not ${reports}:\n${stdout}`);
    const expected = { backend: exactly(context.native), hash: context.trainingHash };
    for (const text of lines) expectReport(text, expected);
    outputs.push(stdout);
  }
  return outputs;
}

const simple = (name: string, file: string, program: string, reports: number): Environment => ({
  name,
  async run(context) {
    await inEveryNode(context, file, program, reports);
    return `${context.native}, ${reports} reports; Node ${LINES.join(", ")}`;
  },
});

/** Megabytes that the last third of the rounds may be above the second: 1.2 for each of its workers. */
const SLACK = 24;

/** How resident memory went, in megabytes: the most of each third of the rounds. */
function residentThirds(stdout: string): readonly [number, number, number] {
  return thirdsOf(JSON.parse(/^resident (.*)$/m.exec(stdout)![1]!) as number[]);
}

/** Memory must level off in every Node; and in one, where a leak is planted, be seen to grow. */
async function watchMemory(context: Context): Promise<string> {
  const name = "terminated.mjs";
  const thirds = (await inEveryNode(context, name, TERMINATED, 1)).map(residentThirds);
  const told = thirds.map((one) => one.join(" ")).join(", ");
  if (thirds.some((one) => grows(one, SLACK))) throw new Error(`resident memory grows, MB at most by thirds: ${told}`);
  const cwd = context.folder({ [name]: TERMINATED });
  const planted = residentThirds(await succeed(context, node(context, "20"), [name, "leak"], { cwd }));
  if (!grows(planted, SLACK)) throw new Error(`a planted leak is not seen: ${planted.join(" ")}`);
  return `60 rounds each; MB resident at most, by thirds: ${told}; with a planted leak: ${planted.join(" ")}`;
}

export const environments: readonly Environment[] = [
  simple("eight worker threads", "workers.mjs", WORKERS, 9),
  simple("four forked processes", "forks.mjs", FORKS, 4),
  simple("realms of node:vm", "realms.cjs", REALMS, 3),
  { name: "worker threads ended in a call", run: watchMemory },
];
