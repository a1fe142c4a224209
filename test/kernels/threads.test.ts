// Native kernels on several threads: how many work, that the bits stay, and the pool in processes that end, fork, start
// workers, or may have no threads.
import { availableParallelism } from "node:os";
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { coresOfGroups } from "../../src/backends/threads.js";
import { hasNative } from "../support/backends.js";
import { lengthOf, shapeIn, shapes } from "../../bench/shapes.js";
import { buildFixture } from "../support/faulty-addon.js";
import { root, runModule } from "../support/package-copy.js";
import { runTally, runTallyWith } from "../support/run-tally.js";

const linux = process.platform === "linux";

describe.skipIf(!hasNative || availableParallelism() < 2)("on two threads", () => {
  const large = shapes.filter(({ name }) => ["A", "B", "E", "H", "J"].includes(name));
  // The others take under a millisecond: on a busy machine a thread may wake too late each time.
  const longest = ["A", "E"];
  const cases = large.flatMap((shape) =>
    (["channels-first", "channels-last"] as const).map((layout) => ({
      name: `${shape.name}, ${layout}`,
      shape,
      layout,
    })),
  );

  test.each(cases)("$name: the bits of one; on the longest two must work", ({ shape, layout }) => {
    const x = new Float32Array(lengthOf(shape)).map((_, i) => ((i * 7919) % 1009) / 64 - 5);
    const dy = x.map((value) => 3 - value);
    const channels = shape.shape[1];
    /** Arrays, and how many threads worked on forward, backward and inference. */
    const run = (threads: number): { arrays: Float32Array[]; used: number[] } => {
      const layer = new BatchNorm(channels, { layout, backend: "native", threads });
      const y = layer.forward(x, shapeIn(shape, layout));
      const used = [layer.threads];
      const { gradInput, gradWeight, gradBias } = layer.backward(dy);
      used.push(layer.threads);
      const inference = layer.eval().forward(x, shapeIn(shape, layout));
      return { arrays: [y, gradInput, gradWeight!, gradBias!, inference], used: [...used, layer.threads] };
    };
    const one = run(1);
    expect(one.used).toEqual([1, 1, 1]);
    const two = run(2);
    // A thread may wake too late to find anything to do, and on a busy machine the pool rests.
    for (let i = 0; i < 200 && Math.min(...two.used) < 2 && longest.includes(shape.name); i++) {
      const { used } = run(2);
      two.used = two.used.map((most, j) => Math.max(most, used[j]!));
    }
    if (longest.includes(shape.name)) expect(two.used).toEqual([2, 2, 2]);
    two.arrays.forEach((array, i) =>
      expect(Buffer.from(array.buffer).equals(Buffer.from(one.arrays[i]!.buffer))).toBe(true),
    );
  });

  test("a small tensor is not worth another thread", () => {
    const layer = new BatchNorm(16, { backend: "native", threads: 2 });
    expect(layer.threads).toBe(1);
    layer.forward(new Float32Array(8192), [8, 16, 8, 8]);
    expect(layer.threads).toBe(1);
  });
});

describe.skipIf(!hasNative)("the default", () => {
  const code = `
    import { BatchNorm } from "./dist/index.js";
    const layer = new BatchNorm(64, { backend: "native" });
    let most = 0;
    for (let i = 0; i < 20; i++) {
      layer.forward(new Float32Array(2 ** 21), [32, 64, 1024]);
      most = Math.max(most, layer.threads);
    }
    console.log(most);`;
  const threads = (env: Record<string, string>): string => runModule(code, root, env).stdout.trim();

  test("is BATCHNORM_THREADS", () => {
    expect(threads({ BATCHNORM_THREADS: "1" })).toBe("1");
    if (availableParallelism() > 1) expect(threads({ BATCHNORM_THREADS: "2" })).toBe("2");
  });

  test.each(["0", "-1", "two", "1.5", "1e9"])("BATCHNORM_THREADS=%s is refused at first use", (value) => {
    const { stderr, status } = runModule(code, root, { BATCHNORM_THREADS: value });
    expect(status).toBe(1);
    expect(stderr).toContain(`RangeError: "BATCHNORM_THREADS" expected a positive integer, got "${value}"`);
  });

  test.skipIf(!linux || spawnSync("taskset", ["-V"]).status !== 0)("keeps to the process's CPUs", () => {
    const args = ["-c", "0", process.execPath, "--input-type=module", "-e", code];
    const { stdout } = spawnSync("taskset", args, { cwd: root, encoding: "utf8" });
    expect(stdout.trim()).toBe("1");
  });
});

describe("control groups", () => {
  const cores = (files: Record<string, string>): number =>
    coresOfGroups({
      readFileSync: (path: string) => {
        const text = files[path];
        if (text === undefined) throw new Error(`no ${path}`);
        return text;
      },
    });

  test("no limit, and no groups", () => {
    expect(cores({})).toBe(Infinity);
    expect(cores({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n" })).toBe(Infinity);
  });

  test("version 2: the least of a group and those it lies in, at least 1", () => {
    const own = { "/proc/self/cgroup": "0::/pod/box\n", "/sys/fs/cgroup/pod/box/cpu.max": "350000 100000\n" };
    expect(cores(own)).toBe(3);
    expect(cores({ ...own, "/sys/fs/cgroup/pod/cpu.max": "200000 100000\n" })).toBe(2);
    expect(cores({ ...own, "/sys/fs/cgroup/pod/cpu.max": "50000 100000\n" })).toBe(1);
  });

  test("version 1", () => {
    const files = {
      "/proc/self/cgroup": "5:cpu,cpuacct:/box\n3:memory:/box\n",
      "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "400000\n",
      "/sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
    };
    expect(cores(files)).toBe(4);
    expect(cores({ ...files, "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "-1\n" })).toBe(Infinity);
  });
});

describe.skipIf(!hasNative)("the pool", () => {
  test("serves eight worker threads at once, one of which is ended in its work, and ends with them", () => {
    expect(runTally("threads.ts", "workers").tally).toEqual({ answers: 7, same: 1, after: 1 });
  });

  test.skipIf(!linux)("works alone where the system refuses threads", () => {
    const env = { LD_PRELOAD: buildFixture("refuse-threads.c") };
    expect(runTallyWith({ env }, "threads.ts", "refused").tally).toEqual({ same: 1, threads: 1 });
  });

  test.skipIf(!linux)(
    "works alone in the child of a fork, also of one while it is made, and as before in the parent",
    () => {
      const { status, stdout } = spawnSync(buildFixture("pool-fork.cc"), { encoding: "utf8", timeout: 60_000 });
      expect(stdout).toMatch(/^[1-4] threads before, [1-4] after, the child's status 0, 0 failures\n$/);
      expect(status).toBe(0);
    },
  );

  test.skipIf(!linux)("waits for no worker that is late, and rests after a call that lost time", () => {
    const { status, stdout } = spawnSync(buildFixture("pool-late.cc"), { encoding: "utf8", timeout: 60_000 });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  test("keeps nothing: memory after 100 000 more calls is what it was", () => {
    const { heap, buffers, rss } = runTally("threads.ts", "memory").tally;
    expect(heap).toBeLessThan(2 ** 20);
    expect(buffers).toBeLessThan(2 ** 22); // one array of 16 float64 a call would be 12.8 MB
    expect(rss).toBeLessThan(2 ** 25);
  });
});
