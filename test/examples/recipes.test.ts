// The folders of examples/ that are to be copied, as their readers get them: beside the packed package.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { open, type CheckpointTensor } from "../../src/keras.js";
import { hdf5Package, installHdf5 } from "../checkpoints/hdf5-package.js";
import { tools } from "../environments/context.js";
import { missingChromium, withBrowser } from "../environments/pages.js";
import { root } from "../support/package-copy.js";
import { copyOf, run } from "./copies.js";

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

  /** Comes again where too many requests wait, as a client does. */
  async function insist(body: string): ReturnType<typeof post> {
    for (;;) {
      const answer = await post(body);
      if (answer[0] !== 503) return answer;
    }
  }

  test("normalizes, also many requests at once, each with its own answer", async () => {
    const samples = (i: number): string =>
      JSON.stringify({
        samples: [
          [i, 1, 2, 3],
          [0, 1, 2, 3],
        ],
      });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => insist(samples(i))));
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

/** How much the loss falls where a step moves one table alone, beside what the gradient says: rate·‖gradient‖². */
const SLOPES = `
import { readFile } from "node:fs/promises";
import { dark, images } from "./images.js";
import { Network } from "./network.js";

const RATE = 1e-3;
const network = await Network.open(await readFile("model.weights.h5"));
const { convolution, norm, output } = network;
const tables = [convolution, norm.weight, norm.bias, output.kernel, output.bias];
const start = tables.map((table) => table.slice());
const batch = images(32, 5, dark);
const loss = network.step(batch, RATE);
const moved = tables.map((table) => table.slice());
const ratios = tables.map((_, which) => {
  tables.forEach((table, i) => table.set(i === which ? moved[i] : start[i]));
  const fall = loss - network.step(batch, 0);
  return fall / moved[which].reduce((sum, value, i) => sum + (value - start[which][i]) ** 2 / RATE, 0);
});
console.log(JSON.stringify(ratios));
`;

describe("keras-browser", () => {
  let folder = "";
  let printed: string[] = [];
  beforeAll(() => {
    expect(installHdf5()).toBeNull();
    folder = copyOf("keras-browser");
    // A page cannot follow a link out of the folder that is served.
    cpSync(hdf5Package, join(folder, "node_modules", "h5wasm"), { recursive: true });
    printed = run(folder, "main.js").split("\n");
  });

  /** What a file has, by name. */
  async function tensorsOf(bytes: Uint8Array): Promise<[string, number[]][]> {
    const { tensors } = await open(bytes);
    const read = async ([name, tensor]: readonly [string, CheckpointTensor]): Promise<[string, number[]]> => [
      name,
      Array.from(await tensor.read(), Number),
    ];
    return Promise.all([...tensors].map(read));
  }
  const tuned = (): Uint8Array => readFileSync(join(folder, "tuned.weights.h5"));

  test("learns in Node, and what it saves has the layout of what it read", async () => {
    const losses = printed.flatMap((line) => /^epoch \d+: loss ([\d.]+)$/.exec(line)?.[1] ?? []).map(Number);
    expect(losses).toHaveLength(20);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
    const [before, after] = printed.flatMap((line) => /^(?:before|after): ([\d.]+)/.exec(line)?.[1] ?? []).map(Number);
    expect(before).toBeLessThan(0.6);
    expect(after).toBeGreaterThan(0.9);
    const [read, saved] = await Promise.all([
      tensorsOf(readFileSync(join(folder, "model.weights.h5"))),
      tensorsOf(tuned()),
    ]);
    const shape = ([name, values]: [string, number[]]): unknown => [name, values.length];
    expect(saved.map(shape)).toEqual(read.map(shape));
    for (const [i, [name, values]] of saved.entries()) expect(values, name).not.toEqual(read[i]![1]);
  });

  test("every gradient says how the loss changes", () => {
    writeFileSync(join(folder, "slopes.js"), SLOPES);
    const ratios = JSON.parse(run(folder, "slopes.js")) as number[];
    expect(ratios).toHaveLength(5);
    for (const ratio of ratios) expect(ratio).toBeCloseTo(1, 1);
  });

  test("the file that it begins with is the one that make-model.js writes", async () => {
    const committed = await tensorsOf(readFileSync(join(root, "examples/keras-browser/model.weights.h5")));
    run(folder, "make-model.js");
    expect(await tensorsOf(readFileSync(join(folder, "model.weights.h5")))).toEqual(committed);
  });

  test.skipIf(missingChromium() !== null)("learns in Chromium as in Node", { timeout: 120_000 }, async () => {
    const { said, bytes } = await withBrowser({ tools }, folder, {}, async (browser, address) => {
      const page = await browser.newPage();
      await page.goto(`${address}/index.html`, { timeout: 60_000 });
      await page.waitForFunction(`document.querySelector("a")`, undefined, { timeout: 60_000 });
      const file = `fetch(document.querySelector("a").href).then((file) => file.arrayBuffer()).then((bytes) => [...new Uint8Array(bytes)])`;
      return {
        said: String(await page.evaluate(`document.getElementById("said").textContent`)).split("\n"),
        bytes: Uint8Array.from((await page.evaluate(file)) as number[]),
      };
    });
    const backend = "normalization runs on: ";
    expect(said[0]).toBe(`${backend}wasm`);
    expect(printed[0]).toMatch(backend);
    expect(said.slice(1, -1)).toEqual(printed.slice(1, -2));
    expect(await tensorsOf(bytes)).toEqual(await tensorsOf(tuned()));
  });
});
