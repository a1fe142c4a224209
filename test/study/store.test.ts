// The study's results on disk: what is kept, what is computed again, and what a killed run leaves.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { idOf, keyOf, type Planned } from "../../study/experiments/plan.js";
import { Store } from "../../study/store.js";
import type { Point } from "../../study/training/point.js";
import { plan } from "./tiny.js";
import { temporaryFolder } from "../support/folders.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

function point(planned: Planned, accuracy = 0.5): Point {
  const { settings, seed } = planned;
  const trained = {
    steps: 1,
    diverged: false,
    accuracy,
    curve: { steps: [], accuracy: [] },
    hash: "",
    seconds: 1,
    shortestStep: 1,
    backend: "none",
  };
  return { id: idOf(planned), key: keyOf(planned), settings, seed, versions: {}, date: "2026-11-30", ...trained };
}

test("what was saved is not missing, in this process and the next", () => {
  const [first, second, ...rest] = plan();
  const store = new Store(folder);
  store.save("tiny", point(first!));
  store.save("tiny", point(second!));
  expect(new Store(folder).missing(plan())).toEqual(rest);
  expect(new Store(folder).all().get(idOf(first!))).toEqual(point(first!));
});

test("a point whose settings changed is computed again and takes the old one's place", () => {
  const [first] = plan(12);
  const [changed] = plan(13);
  const store = new Store(folder);
  store.save("tiny", point(first!, 0.1));
  expect(store.missing([first!])).toEqual([]);
  expect(store.missing([changed!])).toEqual([changed]);
  store.save("tiny", point(changed!, 0.2));
  expect([...store.all().values()].map(({ accuracy }) => accuracy)).toEqual([0.2]);
});

test("the key depends on every setting and the seed, and not on their order", () => {
  const [first] = plan();
  const { settings } = first!;
  const reversed = Object.fromEntries(Object.entries(settings).reverse()) as typeof settings;
  expect(keyOf({ ...first!, settings: reversed })).toBe(keyOf(first!));
  expect(keyOf({ ...first!, seed: 2 })).not.toBe(keyOf(first!));
  expect(keyOf({ ...first!, settings: { ...settings, norm: { eps: 1 } } })).not.toBe(keyOf(first!));
});

test("half-written files are not read, and a line that is not JSON is named", () => {
  const [first] = plan();
  const store = new Store(folder);
  store.save("tiny", point(first!));
  writeFileSync(join(folder, "tiny.jsonl.1.tmp"), '{"id": "hal');
  expect(store.all().size).toBe(1);
  writeFileSync(join(folder, "other.jsonl"), '{"id": "hal');
  expect(() => store.all()).toThrow(/other\.jsonl: line 1 is not JSON/);
});

/** Runs the tiny study until it ends, or kills it after so many saved points. */
function run(kill = Infinity): Promise<string> {
  const script = fileURLToPath(new URL("tiny-study.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, folder]);
  let said = "";
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (data: Buffer) => {
      said += data.toString();
      if (said.split("saved").length > kill) child.kill("SIGKILL");
    });
    child.stderr.on("data", (data: Buffer) => (said += data.toString()));
    child.on("error", reject).on("close", () => resolve(said));
  });
}

test("a run that is killed goes on, and ends with the points of one that was not", async () => {
  const file = join(folder, "tiny.jsonl");
  await run(2);
  const before = new Store(folder).all();
  expect(before.size).toBeGreaterThanOrEqual(2);
  expect(before.size).toBeLessThan(plan().length);
  const said = await run();
  expect(said).toBe("saved\n".repeat(plan().length - before.size));
  const ids = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as Point).id);
  expect(ids).toEqual(plan().map(idOf).sort());
  expect(readdirSync(folder)).toEqual(["tiny.jsonl"]);
  const hashes = [...new Store(folder).all()].map(([id, { hash }]) => [id, hash]);
  rmSync(file);
  await run();
  expect([...new Store(folder).all()].map(([id, { hash }]) => [id, hash])).toEqual(hashes);
}, 120_000);
