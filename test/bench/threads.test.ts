// The comparison on several threads: the command line, what is checked of threads before anything is timed, and the tables.
import { describe, expect, test } from "vitest";
import { parseThreadOptions } from "../../bench/threads/options.js";
import { minutesFor, settingsOf, type Row, type Skipped } from "../../bench/threads/peers/job.js";
import { copies, isOurs, OTHERS, OURS } from "../../bench/threads/peers/names.js";
import { advantage, asMarkdown, asText, notesOf } from "../../bench/threads/peers/report.js";
import { checkThreads, type Seen } from "../../bench/threads/peers/verify.js";
import { countingWorker, isStart } from "../../bench/threads/peers/workers.js";
import { OptionError } from "../../scripts/tools/command-line.js";

describe("options", () => {
  test("defaults, values and help", () => {
    const { shapes, threads, ...rest } = parseThreadOptions([])!;
    expect(shapes.map(({ name }) => name).join("")).toBe("ABEIL");
    expect(threads).toHaveLength(1);
    expect(rest).toEqual({ rounds: 15, inARow: 1, chromium: false, peers: false, markdown: false });
    const args = ["--chromium", "--peers", "--markdown", "--only", "L,F", "--threads", "2", "--rounds=3"];
    expect(parseThreadOptions(args)).toMatchObject({
      shapes: [{ name: "F" }, { name: "L" }],
      threads: [2],
      rounds: 3,
      inARow: 1,
      peers: true,
      markdown: true,
    });
    expect(parseThreadOptions(["--threads", "4,2,4"])!.threads).toEqual([4, 2]);
    expect(parseThreadOptions(["--help"])).toBeNull();
  });

  test.each([
    [["--peers"], "--peers needs --chromium; npm run bench:peers compares them in Node"],
    [["--chromium", "--markdown"], "--markdown needs --peers"],
    [["--chromium", "--peers", "--threads", "2,4"], '--threads must be one number with --peers, got "2,4"'],
    [["--threads", "0"], '--threads must be an integer from 1 to 16, got "0"'],
    [["--in-a-row", "0"], '--in-a-row must be an integer from 1 to 10000, got "0"'],
    [["--rounds", "x"], '--rounds must be an integer from 1 to 10000, got "x"'],
    [["--only", "Z"], '--only must be of A, B, C, D, E, F, G, H, I, J, K, L, M, got "Z"'],
  ])("%j", (args, message) => {
    expect(() => parseThreadOptions(args)).toThrow(new OptionError(message));
  });
});

describe("threads of a library", () => {
  const seen: Seen = {
    name: "a library",
    asked: 3,
    says: { what: "its count", threads: 3 },
    features: { SIMD: true, THREADS: true },
    made: 8,
    started: 2,
  };

  test("as many as asked", () => {
    const line = "a library: SIMD is true, THREADS is true, its count is 3, threads started in workers: 2";
    expect(checkThreads(seen)).toBe(line);
    const one = { ...seen, asked: 1, says: { what: "its count", threads: 1 }, features: {}, started: 0 };
    expect(checkThreads(one)).toBe("a library: its count is 1, threads started in workers: 0");
  });

  test.each([
    [{ says: { what: "its count", threads: 1 } }, "its count is 1"],
    [{ features: { SIMD: true, THREADS: false } }, "THREADS is false"],
    [{ features: { SIMD: false, THREADS: false } }, "SIMD is false; THREADS is false"],
    [{ started: 1 }, "it started 1 of 2 threads beside the page's own, with 8 workers"],
    [{ started: 3 }, "it started 3 of 2 threads beside the page's own, with 8 workers"],
    [{ made: 0, started: 0 }, "it started 0 of 2 threads beside the page's own, with 0 workers"],
  ])("%j", (changed, reason) => {
    const message = `a library does not run on 3 threads here: ${reason}`;
    expect(() => checkThreads({ ...seen, ...changed })).toThrow(new Error(message));
  });

  test("a start of Emscripten's is a message with the command, by any name", () => {
    expect(
      [
        { cmd: "run", arg: 1 },
        { a: 1, b: "run" },
      ].map(isStart),
    ).toEqual([true, true]);
    expect([{ cmd: "load" }, { run: 1 }, "run", null, undefined].map(isStart)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  test("workers and starts are counted, and get what they are given", () => {
    const got: unknown[] = [];
    class Fake {
      constructor(url: string | URL, options?: WorkerOptions) {
        got.push(["new", url, options]);
      }
      postMessage(message: unknown, transfer: Transferable[]): void {
        got.push([message, transfer]);
      }
    }
    const tally = { made: 0, started: 0 };
    const Counting = countingWorker(Fake, tally);
    const [worker] = [new Counting("a.js", { type: "module" }), new Counting("b.js")];
    const buffer = new ArrayBuffer(1);
    worker.postMessage({ cmd: "load" }, [buffer]);
    worker.postMessage({ cmd: "run" }, []);
    expect(worker).toBeInstanceOf(Fake);
    expect(tally).toEqual({ made: 2, started: 1 });
    expect(got).toEqual([
      ["new", "a.js", { type: "module" }],
      ["new", "b.js", undefined],
      [{ cmd: "load" }, [buffer]],
      [{ cmd: "run" }, []],
    ]);
  });
});

function row(who: string, medianMs: number, changed: Partial<Row> = {}): Row {
  const id = { shape: "A", layout: "channels-last", op: "inference", who, threads: 2 } as const;
  return { ...id, medianMs, minMs: medianMs, samples: 5, error: 0, ...changed };
}

const ROWS = [
  row(OURS.arena, 2),
  row(OURS.one, 3, { threads: 1 }),
  row(OURS.arrays, 4, { threads: 1 }),
  row(OTHERS.onnxComposed, 30, { error: 1.2e-7 }),
  row(OTHERS.tensors, 20),
  row(OTHERS.arraysComposed, 24, { samples: 1 }),
];
const SKIPPED: readonly Skipped[] = (["forward", "inference"] as const).flatMap((op) =>
  [OTHERS.tensors, OTHERS.arraysComposed].map((who) => ({
    shape: "A",
    layout: "channels-first",
    op,
    who,
    reason: "a reason",
  })),
);

test("who is ours, and who copies arrays in and out", () => {
  expect(Object.values(OURS).every(isOurs)).toBe(true);
  expect(Object.values(OTHERS).some(isOurs)).toBe(false);
  const copying = [...Object.values(OURS), ...Object.values(OTHERS)].filter(copies);
  expect(copying).toEqual([OURS.arrays, OTHERS.onnx, OTHERS.onnxComposed, OTHERS.arraysComposed]);
});

test("in an arena ours is compared with the fastest other, on arrays with the fastest that copies too", () => {
  expect(advantage(ROWS, OURS.arena)).toBe(10);
  expect(advantage(ROWS, OURS.arrays)).toBe(6);
  expect(advantage(ROWS.slice(0, 3), OURS.arena)).toBeNull();
  expect(advantage(ROWS.slice(3), OURS.arena)).toBeNull();
});

test("tables of a terminal have everybody, with how far off and what was not timed", () => {
  const text = asText({ rows: ROWS, skipped: SKIPPED, checks: [] });
  expect(text).toContain("A: 32×64×56×56 channels-last");
  expect(text.replace(/ +/g, " ")).toContain(
    "│ inference │ onnxruntime-web, composed │ 2 │ 30.0 │ 30.0 │ 5 │ 1e-7 │ 15.0 │ 7.50 │",
  );
  expect(text.replace(/ +/g, " ")).toContain(
    "│ inference │ batchnorm, shared arena, one thread │ 1 │ 3.00 │ 3.00 │ 5 │ 0 │ 1.50 │ 0.75 │",
  );
  const note = `not timed, forward, inference of A, channels-first: ${OTHERS.tensors}; ${OTHERS.arraysComposed}: a reason`;
  expect(notesOf(SKIPPED)).toEqual([note]);
  expect(text.endsWith(note)).toBe(true);
});

test("tables of the page: a line for each operation, a column for each that was timed in the layout", () => {
  const first = [row(OURS.arena, 1), row(OTHERS.onnx, 8), row(OURS.arena, 3, { op: "backward" })];
  const rows = [...first.map((one) => ({ ...one, layout: "channels-first" })), ...ROWS];
  const lines = asMarkdown({ rows, skipped: [], checks: [] }).split("\n");
  expect(lines).toEqual([
    "channels-first, ms:",
    "",
    "| shape | operation | batchnorm, shared arena | onnxruntime-web | × shared arena | × arrays |",
    "|---|---|--:|--:|--:|--:|",
    "| A | inference | 1.00 | 8.00 | 8.00 | – |",
    "| A | backward | 3.00 | – | – | – |",
    "",
    "channels-last, ms:",
    "",
    "| shape | operation | batchnorm, shared arena | batchnorm, arrays | onnxruntime-web, composed | TensorFlow.js, tensors | " +
      "TensorFlow.js, arrays, composed | × shared arena | × arrays |",
    "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    "| A | inference | 2.00 | 4.00 | 30.0 | 20.0 | 24.0 | 10.0 | 6.00 |",
  ]);
});

test("both layouts of a shape, and longer for the largest", () => {
  const { shapes } = parseThreadOptions(["--only", "B,I"])!;
  const settings = settingsOf(shapes);
  expect(settings.map(({ shape, layout }) => `${shape.name} ${layout}`)).toEqual([
    "B channels-first",
    "B channels-last",
    "I channels-first",
    "I channels-last",
  ]);
  expect(minutesFor(settings.slice(2))).toBeGreaterThan(minutesFor(settings.slice(0, 2)));
});
