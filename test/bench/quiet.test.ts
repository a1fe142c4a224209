// What is said of a machine that is measured on, by what was seen of it.
import { describe, expect, test } from "vitest";
import { busy, checkQuiet, observe } from "../../bench/quiet.js";

/** Sixty loops, of which so many took twice as long. */
function loops(slow: number): number[] {
  return Array.from({ length: 60 }, (_, i) => (i < slow ? 8 : 4 + 0.001 * i));
}

const QUIET = { load: 0.4, cores: 2, loops: loops(5) };

describe("busy", () => {
  test("a low load and a few slow loops are quiet", () => {
    expect(busy(QUIET)).toBeNull();
  });

  test("the load counts by the cores", () => {
    const line = busy({ ...QUIET, load: 0.6 });
    expect(line).toContain("the load average is 0.6 on 2 cores. Times");
    expect(line).toContain("wait until the load average is below 0.5");
    expect(busy({ ...QUIET, load: 0.6, cores: 4 })).toBeNull();
  });

  test("loops that scatter are told by how much, beside a load or alone", () => {
    const scattered = { ...QUIET, loops: loops(7) };
    expect(busy(scattered)).toMatch(/^This machine is busy: a tenth of equal loops took over 2\.00 times as long/);
    expect(busy({ ...scattered, load: 3 })).toContain("3.0 on 2 cores, and a tenth");
  });
});

test("a busy machine is told; an error where the check was asked for", () => {
  const told: string[] = [];
  const check = (asked: boolean, load: number): string | null =>
    checkQuiet(asked, (line) => void told.push(line), { ...QUIET, load });
  expect([check(false, 0), check(true, 0), told]).toEqual([null, null, []]);
  expect(check(false, 3)).toContain("3.0 on 2 cores");
  expect(told).toHaveLength(1);
  expect(() => check(true, 3)).toThrow(/3\.0 on 2 cores.*--quiet-check/);
  expect(told).toHaveLength(1);
});

test("what is observed: a load, cores, and loops that take time", () => {
  const { load, cores, loops: times } = observe();
  expect(load).toBeGreaterThanOrEqual(0);
  expect(cores).toBeGreaterThanOrEqual(1);
  expect(times).toHaveLength(60);
  expect(Math.min(...times)).toBeGreaterThan(0);
});
