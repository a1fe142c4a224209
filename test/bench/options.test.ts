// The benchmark's command line, and what it selects to be timed.
import { backends } from "batchnorm";
import { describe, expect, test } from "vitest";
import { parseOptions, type Options } from "../../bench/options.js";
import { OptionError } from "../../scripts/tools/command-line.js";
import { planGroups, works, type Group } from "../../bench/plan.js";
import { wantsFixed } from "../../bench/selection.js";
import { lengthOf } from "../../bench/shapes.js";

function parse(...args: string[]): Options {
  return parseOptions(args)!;
}

function plan(...args: string[]): Group[] {
  return planGroups(parse(...args));
}

function names(groups: readonly Group[]): string[] {
  return [...new Set(groups.map(({ shape }) => shape.name))];
}

const usable = backends().filter(works);

describe("options", () => {
  test("a full run writes its page, no other does unless told", () => {
    expect(parse().html).toBe("build/bench/index.html");
    for (const args of [["--quick"], ["--only", "A"], ["--from", "a.json"]]) expect(parse(...args).html).toBeNull();
  });

  test("defaults, values and help", () => {
    expect(parse()).toMatchObject({ selection: {}, quick: false, json: null, compare: null, backends: null });
    expect(parse("--quick").seconds).toBeLessThan(parse().seconds);
    expect(parse("--quick", "--seconds", "5", "--launches=2")).toMatchObject({ seconds: 5, launches: 2 });
    expect(parse("--threads", "2,1", "--threads", "2").threads).toEqual([2, 1]);
    expect(parse().dtypes).toEqual(["float32"]);
    expect(parse("--dtypes", "float64,float32").dtypes).toEqual(["float32", "float64"]);
    expect(parse().variants).toEqual(["plain"]);
    expect(parse("--variants", "weights,leaky-relu").variants).toEqual(["leaky-relu", "weights"]);
    expect(parse("--backends", "native,wasm").backends).toEqual(["native", "wasm"]);
    expect(parse("--json", "a.json", "--compare", "b.json")).toMatchObject({ json: "a.json", compare: "b.json" });
    expect([parse(), parse("--quiet-check")].map(({ quietCheck }) => quietCheck)).toEqual([false, true]);
    expect(parse("--memory", "arena").memories).toEqual(["arena"]);
    const outputs = { html: "a.html", charts: "b", markdown: "c.md", from: "d.json" };
    expect(parse("--html=a.html", "--charts=b", "--markdown=c.md", "--from=d.json")).toMatchObject(outputs);
    expect(parseOptions(["--help"])).toBeNull();
  });

  test.each([
    [["--seconds", "0"], '--seconds must be an integer from 1 to 86400, got "0"'],
    [["--launches", "x"], '--launches must be an integer from 1 to 99, got "x"'],
    [["--threads", "1,"], '--threads must be an integer from 1 to 64, got ""'],
    [["--dtypes", "int8"], '--dtypes must be of float32, float64, float16, bfloat16, got "int8"'],
    [["--variants", "relu"], '--variants must be of plain, leaky-relu, weights, got "relu"'],
    [["--json", ""], "--json must name a file"],
    [["--charts", ""], "--charts must name a folder"],
    [["--memory", "heap"], '--memory must be of ordinary, arena, got "heap"'],
  ])("%j", (args, message) => {
    expect(() => parse(...args)).toThrow(new OptionError(message));
  });

  test.each([
    [["--fast"]],
    [["A"]],
    [["--only"]],
    [["--only", "Z"]],
    [["--only", "resnet50"]],
    [["--backends", "gpu"]],
  ])("%j: one line", (args) => {
    expect(() => parse(...args)).toThrow(OptionError);
    expect(() => parse(...args)).toThrow(/^[^\n]+$/);
  });
});

describe("--only", () => {
  test("words of a category add up, categories narrow down", () => {
    const groups = plan("--only", "a,F", "--only", "channels-last,smooth,backward");
    expect(names(groups)).toEqual(["A", "F"]);
    for (const { layout, data, operations } of groups) {
      expect({ layout, data, operations }).toEqual({
        layout: "channels-last",
        data: "smooth",
        operations: ["backward"],
      });
    }
  });

  test("a word stands for what follows its / or +", () => {
    expect(plan("--only", "F,forward")[0]!.operations).toEqual(["forward", "forward+read"]);
    expect(plan("--only", "F,forward+read")[0]!.operations).toEqual(["forward+read"]);
    const contenders = plan("--only", "F,native").flatMap((group) => group.contenders);
    expect(contenders.every(({ backend }) => backend.startsWith("native/"))).toBe(true);
  });

  test("fixed costs belong to a whole run, or are named", () => {
    expect(wantsFixed(parse().selection)).toBe(true);
    expect(wantsFixed(parse("--only", "F").selection)).toBe(false);
    expect(wantsFixed(parse("--only", "fixed").selection)).toBe(true);
    expect(wantsFixed(parse("--only", "sizes").selection)).toBe(false);
    expect(plan("--only", "fixed")).toEqual([]);
    expect(plan("--only", "fixed,D,smooth").map(({ operations }) => operations)).toEqual([
      ["inference"],
      ["inference"],
    ]);
  });
});

describe("sweeps", () => {
  const sweeps = (...args: string[]): Group[] => plan(...args).filter(({ sweep }) => sweep);

  test("sizes belong to a full run, every other one, or are named; a thousand to a hundred million values", () => {
    const ends = [sweeps().at(-1), sweeps()[0]].map((group) => lengthOf(group!.shape));
    expect([sweeps().length, ...ends]).toEqual([8, 1024, 102_400_000]);
    expect([...sweeps("--quick"), ...sweeps("--only", "A")]).toEqual([]);
    const lengths = plan("--only", "sizes").map(({ shape }) => lengthOf(shape));
    expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
    expect([lengths.length, lengths.at(-1), lengths[0]]).toEqual([14, 1024, 102_400_000]);
    for (const { shape, layout } of plan("--only", "sizes"))
      expect([shape.shape[1], layout]).toEqual([64, "channels-first"]);
  });

  test("every backend that works takes part, the oracle up to where a call takes seconds; words narrow them down", () => {
    const contenders = (group: Group | undefined): string[] => [
      ...new Set(group!.contenders.map(({ backend }) => backend as string)),
    ];
    const groups = plan("--only", "sizes");
    expect(contenders(groups.at(-1)).sort()).toEqual(usable.map(({ name }) => name as string).sort());
    expect(contenders(groups[0])).not.toContain("oracle");
    const [narrow] = plan("--only", "sizes,wasm,forward");
    expect(narrow).toMatchObject({ operations: ["forward"], sweep: true });
    expect(contenders(narrow)).toEqual(["wasm"]);
  });
});

describe("--memory", () => {
  const memories = (...args: string[]): string[] => [
    ...new Set(plan("--threads", "1", ...args).flatMap(({ contenders }) => contenders.map(({ memory }) => memory))),
  ];

  test("arenas are for WASM alone, which has both unless told", () => {
    expect(memories("--only", "F,wasm")).toEqual(["ordinary", "arena"]);
    expect(memories("--only", "F,wasm", "--memory", "ordinary")).toEqual(["ordinary"]);
    expect(memories("--only", "F", "--memory", "arena")).toEqual(["arena"]);
    expect(memories("--only", "F,oracle", "--backends", "oracle")).toEqual(["ordinary"]);
  });
});

describe("the plan", () => {
  test("all shapes; without the largest in a quick run, unless it is named", () => {
    const all = plan().filter(({ sweep }) => !sweep);
    expect(names(all).join("")).toBe("ABCDEFGHIJKLM");
    expect(names(plan("--quick")).join("")).toBe("ABCDEFGHJKLM");
    expect(names(plan("--quick", "--only", "I"))).toEqual(["I"]);
  });

  test("three kinds of data in both layouts, or in one where they are the same; D is inference", () => {
    const count = (name: string): number => plan("--only", name).length;
    expect([count("A"), count("C"), count("D")]).toEqual([6, 3, 6]);
    expect(plan("--only", "D")[0]!.operations).toEqual(["inference"]);
  });

  test("the best backend everywhere with every thread count, the others on one thread and few shapes", () => {
    const [few, all] = [plan("--only", "A", "--threads", "1,2"), plan("--only", "E", "--threads", "1,2")];
    const best = usable.find(({ status }) => status === "in use")!.name;
    const both = [1, 2].map((threads) => ({ backend: best, threads, memory: "ordinary", brief: false }));
    expect(all[0]!.contenders).toEqual(both);
    expect(few[0]!.contenders.slice(0, 2)).toEqual(both);
    const others = usable.map(({ name }) => name).filter((name) => name !== best && name !== "oracle");
    const memoriesOf = (backend: string): string[] => (backend === "wasm" ? ["ordinary", "arena"] : ["ordinary"]);
    expect(few[0]!.contenders.slice(2)).toEqual(
      others.flatMap((backend) => memoriesOf(backend).map((memory) => ({ backend, threads: 1, memory, brief: true }))),
    );
  });

  test("backends named are timed on every shape; one that cannot be used is an error with its reason", () => {
    expect(plan("--backends", "oracle", "--only", "E", "--threads", "1")[0]!.contenders).toEqual([
      { backend: "oracle", threads: 1, memory: "ordinary", brief: false },
    ]);
    const missing = backends().find((backend) => !works(backend));
    if (missing) expect(() => plan("--backends", missing.name)).toThrow(missing.reason);
  });
});
