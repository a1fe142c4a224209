// The benchmark as a command: a short run, its file, and its errors. How long anything takes is not asserted.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { isYardstick, type Row } from "../../bench/report/rows.js";
import { folderOfTests } from "../support/folders.js";

const main = fileURLToPath(new URL("../../bench/main.ts", import.meta.url));
const folder = folderOfTests();

function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", main, ...args], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

const SHORT = [
  "--quick",
  "--seconds",
  "1",
  "--only",
  "F,gaussian,channels-last,forward,inference",
  "--dtypes",
  "float64",
];

test("a short run prints a table, writes rows, and compares with itself", async () => {
  const json = join(folder, "rows.json");
  const first = await run(...SHORT, "--json", json);
  expect(first.stderr).toBe("1 of 1: F 8×16×8×8 channels-last float64 gaussian\n");
  expect(first.code).toBe(0);
  expect(first.stdout).toContain("F: 8×16×8×8 channels-last float64");
  expect(first.stdout).not.toContain("\u001b");
  const { rows } = JSON.parse(readFileSync(json, "utf8")) as { rows: Row[] };
  for (const op of ["copy", "forward floor", "forward", "inference"]) expect(rows.map((row) => row.op)).toContain(op);
  for (const row of rows) {
    expect(row).toMatchObject({ shape: "F", layout: "channels-last", dtype: "float64", data: "gaussian" });
    for (const value of [row.threads, row.minMs, row.gbPerSecond, row.copyRatio, row.medianMs - row.minMs + 1])
      expect(value).toBeGreaterThan(0);
  }
  const timed = rows.filter(({ op }) => !isYardstick(op));
  expect(timed.map(({ out }) => out).sort()).toEqual(timed.map((_, i) => (i < timed.length / 2 ? "fresh" : "given")));
  const second = await run(...SHORT, "--compare", json);
  expect(second.stdout).toContain(`Median of ${timed.length} quotients: `);
  expect(second.stdout).not.toContain("only in");
}, 60_000);

test("activations and weights have rows and tables of their own, beside the same copies", async () => {
  const json = join(folder, "variants.json");
  const only = ["--only", "F,gaussian,channels-first,forward,backward", "--backends", "wasm", "--memory", "ordinary"];
  const timed = await run("--seconds", "1", "--quick", ...only, "--variants", "leaky-relu,weights", "--json", json);
  expect(timed.stderr.match(/float32, \S+ gaussian/g)).toEqual([
    "float32, leaky-relu gaussian",
    "float32, weights gaussian",
  ]);
  for (const variant of ["leaky-relu", "weights"]) {
    expect(timed.stdout).toContain(`F: 8×16×8×8 channels-first float32, ${variant}`);
    const { rows } = JSON.parse(readFileSync(json, "utf8")) as { rows: Row[] };
    const ops = rows.filter((row) => row.variant === variant).map(({ op }) => op);
    for (const op of ["copy", "forward", "backward"]) expect(ops).toContain(op);
  }
}, 60_000);

test("WASM is timed in both memories; an earlier run is drawn without timing anything", async () => {
  const json = join(folder, "memories.json");
  const timed = await run(
    "--seconds",
    "1",
    "--quick",
    "--only",
    "F,gaussian,channels-first,forward",
    "--backends",
    "wasm",
    "--json",
    json,
  );
  expect(timed.code).toBe(0);
  const { rows } = JSON.parse(readFileSync(json, "utf8")) as { rows: Row[] };
  const memories = new Set(rows.filter(({ backend }) => backend === "wasm").map(({ memory }) => memory));
  expect([...memories]).toEqual(["ordinary", "arena"]);
  const [html, charts] = [join(folder, "pages", "index.html"), join(folder, "charts")];
  const drawn = await run("--from", json, "--html", html, "--charts", charts);
  expect(drawn).toMatchObject({ code: 0, stderr: "" });
  expect(drawn.stdout).toContain("wasm, arena");
  expect(readFileSync(html, "utf8")).toContain("<svg ");
  expect(readdirSync(charts)).toEqual(["ratios.svg"]);
}, 60_000);

test.each([
  [["--fast"], 2, "unknown option --fast"],
  [["--only", "F,oracle"], 2, "--only leaves nothing to time"],
  [["--compare", "none.json"], 1, "none.json holds no benchmark: "],
  [["--from", "none.json"], 1, "none.json holds no benchmark: "],
])("%j is one line and code %i", async (args, code, message) => {
  const { stderr, ...rest } = await run(...args);
  expect(rest).toEqual({ code, stdout: "" });
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).toContain(message);
});
