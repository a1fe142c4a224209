// The workers of WebAssembly: when they begin and end, what they keep, faults, and refusals.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { BatchNorm, backends, createArena, warmUp } from "../../src/index.js";
import { Team } from "../../src/backends/wasm/team.js";
import { endTeam, moduleForThreads } from "../../src/backends/wasm/threads.js";
import type * as Workers from "../../src/backends/wasm/workers.js";
import { sharedBytes } from "../../src/backends/wasm/shared-module.js";
import { isAvailable } from "../support/backends.js";
import { root, runModule } from "../support/package-copy.js";
import { wasmBytes } from "../support/wasm-mutants.js";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until something holds. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await pause(10);
  expect(holds()).toBe(true);
}

describe.skipIf(!isAvailable("wasm"))("the module for a shared memory", () => {
  test("is the module, but for what it says of the memory", () => {
    const [bytes, shared] = [wasmBytes(), sharedBytes(wasmBytes())];
    expect(shared.length).toBe(bytes.length + 3);
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    const make = (code: Uint8Array<ArrayBuffer>): unknown =>
      new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory, base: 0 } });
    expect(() => make(bytes)).toThrow(WebAssembly.LinkError);
    make(shared);
  });

  test("what is no such module is refused", () => {
    expect(() => sharedBytes(wasmBytes().subarray(0, 8))).toThrow("the module has no imports");
    const renamed = wasmBytes();
    renamed[Buffer.from(renamed).indexOf("memory")] = 0x4d;
    expect(() => sharedBytes(renamed)).toThrow("the module imports no memory");
  });
});

describe.skipIf(!isAvailable("wasm"))("a team", () => {
  test("its workers end after a while without a call, and others begin", async () => {
    const team = new Team(moduleForThreads(), 100);
    for (let round = 0; round < 2; round++) {
      team.begin(3);
      await team.begun();
      expect(team.refusal).toBeNull();
      await until(() => team.threads === 1);
    }
    team.end();
  });

  test("every share is done once, whoever does it, and a fault is told", async () => {
    const team = new Team(moduleForThreads());
    team.begin(2);
    await team.begun();
    // Nobody knows this memory, so that the caller does all.
    for (const shares of [1, 7, 2048]) {
      const done: number[] = [];
      expect(team.run(99, 2, shares, (index) => done.push(index))).toBe(1);
      expect(done).toEqual(Array.from({ length: shares }, (_, i) => i));
    }
    const fail = (): void => {
      throw new Error("planted");
    };
    expect(() => team.run(99, 2, 3, fail)).toThrow("a kernel failed on one of the threads");
    expect(team.run(99, 2, 1, () => undefined)).toBe(1);
    team.end();
    await until(() => team.threads === 1);
  });

  test("ended before its workers have begun, it leaves none", async () => {
    const team = new Team(moduleForThreads());
    team.begin(3);
    team.end();
    await pause(300);
    expect(team.threads).toBe(1);
  });
});

describe.skipIf(!isAvailable("wasm"))("processes", () => {
  test("end by themselves, with workers that wait, and memory of arenas is given back", { timeout: 120_000 }, () => {
    const code = `
      import { setFlagsFromString } from "node:v8";
      import { runInNewContext } from "node:vm";
      import { BatchNorm, createArena, warmUp } from "./dist/index.js";
      setFlagsFromString("--expose-gc");
      const gc = runInNewContext("gc");
      const { threads } = await warmUp({ backend: "wasm", threads: 2 });
      const layer = new BatchNorm(64, { backend: "wasm", threads: 2 });
      const length = 2 ** 20;
      let used = 1;
      const resident = [];
      for (let i = 0; i < 60; i++) {
        const arena = createArena(16 * length, { shared: true });
        const [x, y] = [arena.float32(length), arena.float32(length)];
        for (let k = 0; k < 3; k++) {
          layer.forward(x.fill(i), [16, 64, 1024], { out: y });
          used = Math.max(used, layer.threads);
        }
        arena.dispose();
        await new Promise((resolve) => setTimeout(resolve, 5));
        gc();
        resident.push(process.memoryUsage().rss / 2 ** 20);
      }
      const grown = Math.max(...resident.slice(30)) - Math.max(...resident.slice(0, 30));
      console.log(JSON.stringify({ threads, used, grown: Math.round(grown) }));`;
    const { stdout, stderr, status } = runModule(code, root);
    expect(stderr).toBe("");
    const { threads, used, grown } = JSON.parse(stdout) as Record<string, number>;
    expect({ threads, used, status }).toEqual({ threads: 2, used: 2, status: 0 });
    // Arenas that were kept would be 8 MB each.
    expect(grown).toBeLessThan(60);
  });
});

const refuse = vi.hoisted(() => ({ reason: null as string | null }));
vi.mock("../../src/backends/wasm/workers.js", async (original) => {
  const real = await original<typeof Workers>();
  const makeWorker: typeof real.makeWorker = (program, listener) => {
    if (refuse.reason !== null) throw new Error(refuse.reason);
    return real.makeWorker(program, listener);
  };
  return { ...real, makeWorker };
});

describe.skipIf(!isAvailable("wasm"))("where workers are refused", () => {
  beforeEach(() => {
    endTeam();
    refuse.reason = "no workers today";
  });
  afterEach(() => {
    refuse.reason = null;
    endTeam();
  });

  test("calls have one thread and the same bits, and the reason is told", async () => {
    const length = 2 ** 19;
    const arena = createArena(16 * length, { shared: true });
    const [x, y] = [arena.float32(length), arena.float32(length)];
    for (let i = 0; i < length; i++) x[i] = ((i * 7919) % 1009) / 64;
    const layer = new BatchNorm(64, { backend: "wasm", threads: 2 });
    layer.forward(x, [8, 64, 1024], { out: y });
    expect(layer.threads).toBe(1);
    expect(y).toEqual(new BatchNorm(64, { backend: "oracle" }).forward(x.slice(), [8, 64, 1024]));
    expect((await warmUp({ backend: "wasm", threads: 2 })).threads).toBe(1);
    expect(backends().find(({ name }) => name === "wasm")!.oneThread).toBe("no workers today");
  });
});

describe.skipIf(!isAvailable("wasm"))("arguments", () => {
  test("of warmUp reject, as those of other calls throw", async () => {
    await expect(warmUp({ threads: 0 })).rejects.toMatchObject({ code: "ERR_BATCHNORM_VALUE" });
    await expect(warmUp({ backend: "cuda" } as never)).rejects.toMatchObject({ code: "ERR_BATCHNORM_VALUE" });
    await expect(warmUp({ thread: 1 } as never)).rejects.toMatchObject({ code: "ERR_BATCHNORM_OPTION" });
    await expect(warmUp({ backend: "oracle" })).resolves.toMatchObject({ backend: "oracle", threads: 1 });
  });

  test("of createArena are checked before memory is set aside", () => {
    const thrown = (options: unknown): unknown => {
      try {
        createArena(8, options as never);
      } catch (error) {
        return error;
      }
      return null;
    };
    expect(thrown({ shared: 1 })).toMatchObject({ code: "ERR_BATCHNORM_TYPE" });
    expect(thrown({ share: true })).toMatchObject({ code: "ERR_BATCHNORM_OPTION" });
    expect(thrown({ shared: true, begin: 0 })).toMatchObject({ code: "ERR_BATCHNORM_OPTION" });
    expect(thrown(5)).toMatchObject({ code: "ERR_BATCHNORM_TYPE" });
    expect(createArena(8).shared).toBe(false);
    expect(createArena(8, { shared: false }).float32(1).buffer).toBeInstanceOf(ArrayBuffer);
    expect(createArena(8, { shared: true }).float32(1).buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});
