// The folders of examples/ that are to be copied, as their readers get them: beside the packed package.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packInto } from "../../scripts/release/stage.mjs";
import { root } from "../support/package-copy.js";

const scratch = mkdtempSync(join(tmpdir(), "batchnorm-recipes-"));
let packed = "";
beforeAll(() => {
  packed = packInto(scratch).path;
});
afterAll(() => rmSync(scratch, { recursive: true }));

function copyOf(name: string): string {
  const folder = join(scratch, name);
  cpSync(join(root, "examples", name), folder, { recursive: true });
  const packages = join(folder, "node_modules");
  mkdirSync(packages);
  execFileSync("tar", ["-xzf", packed, "-C", packages]);
  renameSync(join(packages, "package"), join(packages, "batchnorm"));
  return folder;
}

const run = (folder: string, file: string): string =>
  execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8", stdio: "pipe" });

test("pytorch-inference gives PyTorch's outputs, whole and folded", () => {
  const printed = run(copyOf("pytorch-inference"), "main.js");
  expect(printed).toContain("bn1. 8 channels, bn2. 8 channels, bn3. 5 channels\n");
  for (const name of ["whole", "folded"]) {
    const difference = Number(new RegExp(`${name}: differs from PyTorch by (\\S+)`).exec(printed)![1]);
    expect(difference).toBeLessThan(4e-6);
  }
});

test("worker-pool gives the bits of one thread, and goes on after a job that fails", () => {
  const printed = run(copyOf("worker-pool"), "main.js");
  expect(printed).toMatch(/^8 of 8 outputs have the bits of this thread's, /);
  expect(printed).toContain('a job that cannot be done: "shape" expected 16 channels at axis 1, got 5 in [3, 5]');
});

describe("http-service", () => {
  let server: ChildProcess;
  let url = "";
  beforeAll(async () => {
    const folder = copyOf("http-service");
    run(folder, "make-model.js");
    server = spawn(process.execPath, ["server.js"], { cwd: folder, env: { ...process.env, PORT: "0" } });
    const [line] = (await once(server.stdout!, "data")) as [Buffer];
    url = `http://127.0.0.1:${/\d+/.exec(line.toString())![0]}/normalize`;
  });
  afterAll(() => server.kill());

  const post = async (body: string): Promise<readonly [number, { samples?: number[][]; error?: string }]> => {
    const response = await fetch(url, { method: "POST", body });
    return [response.status, (await response.json()) as object];
  };

  test("normalizes, also many requests at once, each with its own answer", async () => {
    const samples = (i: number): string =>
      JSON.stringify({
        samples: [
          [i, 1, 2, 3],
          [0, 1, 2, 3],
        ],
      });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => post(samples(i))));
    const firsts = answers.map(([status, { samples: got }]) => (status === 200 ? got![0]![0]! : NaN));
    const step = firsts[1]! - firsts[0]!;
    firsts.forEach((value, i) => expect(value).toBeCloseTo(firsts[0]! + i * step, 4));
    for (const [, { samples: got }] of answers) expect(got![1]).toEqual(answers[0]![1].samples![0]);
  });

  test("says what is wrong with a request", async () => {
    expect(await post("{")).toEqual([400, { error: "the body is no JSON" }]);
    for (const body of ["null", '{"samples": [[1, 2, 3]]}', '{"samples": [[1, 2, 3, null]]}'])
      expect(await post(body)).toEqual([400, { error: '"samples" must be lists of 4 numbers' }]);
    expect((await post(" ".repeat(2 ** 20 + 1)))[0]).toBe(413);
    expect((await fetch(url)).status).toBe(404);
  });

  const postBytes = (values: Float32Array): Promise<Response> =>
    fetch(url, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: values.slice() });
  const large = Float32Array.from({ length: 4 * 40_000 }, (_, i) => (i % 13) - 6);

  test("normalizes float32 numbers, and answers pings meanwhile", async () => {
    const requests = [1, 2, 3, 4].map(async () => new Float32Array(await (await postBytes(large)).arrayBuffer()));
    const ping = await fetch(url.replace("/normalize", "/ping"));
    expect(ping.status).toBe(200);
    expect(await ping.json()).toEqual({ pending: expect.any(Number) as number });
    const [first, ...others] = await Promise.all(requests);
    for (const other of others) expect(Buffer.from(other.buffer).equals(Buffer.from(first!.buffer))).toBe(true);
    const [, { samples }] = await post(JSON.stringify({ samples: [[...large.subarray(0, 4)]] }));
    expect([...first!.subarray(0, 4)]).toEqual(samples![0]);
    expect((await postBytes(large.subarray(1))).status).toBe(400);
  });

  test("tells clients to come again when too many wait, and serves later ones", async () => {
    const statuses = await Promise.all(Array.from({ length: 24 }, async () => (await postBytes(large)).status));
    expect(new Set([...statuses, 200])).toEqual(new Set([200, ...statuses.filter((status) => status === 503)]));
    expect(statuses).toContain(200);
    expect((await postBytes(large)).status).toBe(200);
  });

  test("drops the calls of clients that have gone", async () => {
    const controller = new AbortController();
    const requests = Array.from({ length: 6 }, () =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/octet-stream" },
        body: large.slice(),
        signal: controller.signal,
      }).catch(() => "gone"),
    );
    controller.abort();
    expect(await Promise.all(requests)).toEqual(requests.map(() => "gone"));
    expect((await post('{"samples": [[1, 2, 3, 4]]}'))[0]).toBe(200);
  });
});
