// What is particular to the asynchronous parts of a backward and to the double backward: tokens, errors, signals, and arrays that
// go away.
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormDoubleBackwardAsync,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradInputAsync,
  batchNormGradSums,
  batchNormGradSumsAsync,
  batchNormTraining,
  type BackendRequest,
  type GradCoefficients,
  type Saved,
} from "../../src/index.js";
import { hasNative } from "../support/backends.js";
import { CHANNELS, SHAPE, SIZE, drawn, expectSame, inShared } from "../support/async-calls.js";

const BACKENDS: readonly BackendRequest[] = [...(hasNative ? (["native"] as const) : []), "wasm", "oracle"];
const array = (seed: number): Float32Array<ArrayBuffer> =>
  drawn("float32", SIZE, seed) as Float32Array as Float32Array<ArrayBuffer>;
const [X, DY, DDX] = [array(1), array(2), array(3)];
const weight = Float32Array.from({ length: CHANNELS }, (_, c) => 0.5 + 0.1 * c);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (reason: unknown) => (reason as { code?: string }).code ?? reason,
  );
const takeAway = (data: Float32Array<ArrayBuffer>): void =>
  void structuredClone(data.buffer, { transfer: [data.buffer] });

interface Ready {
  readonly x: Float32Array<ArrayBuffer>;
  readonly saved: Saved<"float32">;
  readonly coefficients: GradCoefficients;
}

/** A token, and the coefficients of its backward. */
function ready(backend: BackendRequest): Ready {
  const x = X.slice();
  const { saved } = batchNormTraining(x, SHAPE, { weight, activation: "relu", backend });
  return { x, saved, coefficients: batchNormGradCoefficients(saved, batchNormGradSums(DY, saved, { backend })) };
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each(BACKENDS)("%s", (backend) => {
  test("bad arguments reject the promise with the errors of the synchronous calls", async () => {
    const { saved, coefficients } = ready(backend);
    const short = new Float32Array(3);
    const none = {} as never;
    const calls: readonly (readonly [sync: () => unknown, later: () => Promise<unknown>])[] = [
      [() => batchNormGradSums(short, saved), () => batchNormGradSumsAsync(short, saved)],
      [() => batchNormGradSums(DY, null as never), () => batchNormGradSumsAsync(DY, null as never)],
      [() => batchNormGradInput(DY, saved, none), () => batchNormGradInputAsync(DY, saved, none)],
      [
        () => batchNormGradInput(DY, saved, coefficients, { out: short }),
        () => batchNormGradInputAsync(DY, saved, coefficients, { out: short }),
      ],
      [
        () => batchNormGradInput(DY, saved, coefficients, { residualOut: DDX }),
        () => batchNormGradInputAsync(DY, saved, coefficients, { residualOut: DDX }),
      ],
      [
        () => batchNormDoubleBackward(saved, DY, { gradGradInput: short }),
        () => batchNormDoubleBackwardAsync(saved, DY, { gradGradInput: short }),
      ],
      [
        () => batchNormDoubleBackward(saved, DY, { gradGradResidual: DDX }),
        () => batchNormDoubleBackwardAsync(saved, DY, { gradGradResidual: DDX }),
      ],
      [
        () => batchNormDoubleBackward(saved, DY, { gradInput: DDX } as never),
        () => batchNormDoubleBackwardAsync(saved, DY, { gradInput: DDX } as never),
      ],
      [
        () => batchNormGradSums(DY, saved, { backend: "native/neon", threads: 0 }),
        () => batchNormGradSumsAsync(DY, saved, { backend: "native/neon", threads: 0 }),
      ],
    ];
    for (const [sync, later] of calls) {
      let thrown: Error | null = null;
      try {
        sync();
      } catch (error) {
        thrown = error as Error;
      }
      expect(thrown).not.toBe(null);
      await expect(later()).rejects.toEqual(thrown);
      await expect(later()).rejects.toHaveProperty("code", (thrown as unknown as { code: string }).code);
    }
    for (const wrong of [{ signal: {} }, { sgnal: null }] as never[]) {
      const code = "signal" in (wrong as object) ? "ERR_BATCHNORM_TYPE" : "ERR_BATCHNORM_OPTION";
      expect(await outcome(batchNormGradSumsAsync(DY, saved, wrong))).toBe(code);
      expect(await outcome(batchNormGradInputAsync(DY, saved, coefficients, wrong))).toBe(code);
      expect(await outcome(batchNormDoubleBackwardAsync(saved, DY, {}, wrong))).toBe(code);
    }
    // Nothing was used up.
    batchNormGradInput(DY, saved, coefficients, { backend });
  });

  test("a signal that was aborted before", async () => {
    const { saved, coefficients } = ready(backend);
    const options = { signal: AbortSignal.abort("no"), backend };
    await expect(batchNormGradSumsAsync(DY, saved, options)).rejects.toBe("no");
    await expect(batchNormGradInputAsync(DY, saved, coefficients, options)).rejects.toBe("no");
    await expect(batchNormDoubleBackwardAsync(saved, DY, { gradGradInput: DDX }, options)).rejects.toBe("no");
    expect(saved.life[0]).toBe(0);
  });

  test("a token serves one gradInput, and any number of sums and double backwards", async () => {
    const { saved, coefficients } = ready(backend);
    const given = { gradGradInput: DDX, gradGradWeight: weight };
    const expected = batchNormDoubleBackward(saved, DY, given, { backend });
    const calls = [0, 1].map(() => batchNormDoubleBackwardAsync(saved, DY, given, { backend }));
    const sums = [0, 1].map(() => batchNormGradSumsAsync(DY, saved, { backend }));
    for (const call of calls) expectSame(await call, expected, "double backward");
    expectSame((await sums[0])!.sumG, (await sums[1])!.sumG, "sums");
    const both = [0, 1].map(() => outcome(batchNormGradInputAsync(DY, saved, coefficients, { backend })));
    expect((await Promise.all(both)).sort()).toEqual(["ERR_BATCHNORM_SAVED", "fulfilled"]);
    expect(await outcome(batchNormGradSumsAsync(DY, saved, { backend }))).toBe("ERR_BATCHNORM_SAVED");
    // A used token is good for it as long as its x is there.
    expectSame(await batchNormDoubleBackwardAsync(saved, DY, given, { backend }), expected, "afterwards");
    const { x, saved: other, coefficients: own } = ready(backend);
    await batchNormGradInputAsync(DY, other, own, { out: x, backend });
    expect(await outcome(batchNormDoubleBackwardAsync(other, DY, given, { backend }))).toBe("ERR_BATCHNORM_SAVED");
  });

  test("coefficients and given tables may change once the call is made", async () => {
    const { saved } = ready(backend);
    // Masked outputs of 0 have kernels before the one that takes the coefficients.
    const masked = (): Saved<"float32"> =>
      batchNormTraining(X, SHAPE, { mask: [1, 0, 1, 1, 1, 1, 1, 1, 1], maskedOutput: "zero", backend }).saved;
    const coefficients = batchNormGradCoefficients(masked(), batchNormGradSums(DY, masked(), { backend }));
    const expected = batchNormGradInput(DY, masked(), coefficients, { backend });
    const table = weight.slice();
    const twice = batchNormDoubleBackward(saved, DY, { gradGradWeight: table }, { backend });
    const calls = [
      batchNormDoubleBackwardAsync(saved, DY, { gradGradWeight: table }, { backend }),
      batchNormGradInputAsync(DY, masked(), coefficients, { backend }),
    ] as const;
    for (const one of Object.values(coefficients)) (one as Float64Array).fill(NaN);
    table.fill(NaN);
    expectSame(await calls[0], twice, "double backward");
    expectSame(await calls[1], expected, "gradInput");
  });

  test("tensors, and a batch without elements", async () => {
    const { saved, coefficients } = ready(backend);
    const [dy, ddx] = [
      { data: DY, dims: SHAPE },
      { data: DDX, shape: SHAPE },
    ];
    const twice = await batchNormDoubleBackwardAsync(saved, dy, { gradGradInput: ddx }, { backend });
    expectSame(twice, batchNormDoubleBackward(saved, dy, { gradGradInput: ddx }, { backend }), "double backward");
    const { gradInput } = await batchNormGradInputAsync(dy, saved, coefficients, { backend });
    expect(gradInput.dims).toEqual(SHAPE);
    const { saved: empty } = batchNormTraining(new Float32Array(0), [0, 3, 5], { backend });
    const nothing = new Float32Array(0);
    const sums = await batchNormGradSumsAsync(nothing, empty, { backend });
    expectSame(sums, batchNormGradSums(nothing, empty, { backend }), "sums");
    const given = { gradGradInput: nothing };
    expectSame(
      await batchNormDoubleBackwardAsync(empty, nothing, given, { backend }),
      batchNormDoubleBackward(empty, nothing, given, { backend }),
      "double backward",
    );
    const own = batchNormGradCoefficients(empty, sums);
    expect((await batchNormGradInputAsync(nothing, empty, own, { backend })).gradInput.length).toBe(0);
  });

  test("with BATCHNORM_DEBUG=1", async () => {
    vi.stubEnv("BATCHNORM_DEBUG", "1");
    const { saved, coefficients } = ready(backend);
    const given = { gradGradInput: DDX, gradGradWeight: weight };
    expectSame(
      await batchNormDoubleBackwardAsync(saved, DY, given, { backend }),
      batchNormDoubleBackward(saved, DY, given, { backend }),
      "double backward",
    );
    const out = new Float32Array(SIZE);
    await batchNormGradInputAsync(DY, saved, coefficients, { backend, out });
    expectSame(out, batchNormGradInput(DY, ready(backend).saved, coefficients, { backend }).gradInput, "gradInput");
  });

  test("arrays that go away at any moment", async () => {
    const good = ["fulfilled", "ERR_BATCHNORM_DETACHED"];
    for (const turns of [0, 1, 2, 3, 5, 8])
      for (const which of ["x", "dy", "ddx", "out"] as const) {
        const { x, saved, coefficients } = ready(backend);
        const arrays = { x, dy: DY.slice(), ddx: DDX.slice(), out: array(4) };
        const { dy, ddx, out } = arrays;
        const calls = [
          batchNormGradSumsAsync(dy, saved, { backend }),
          batchNormDoubleBackwardAsync(saved, dy, { gradGradInput: ddx, gradGradWeight: weight }, { backend }),
          batchNormGradInputAsync(dy, saved, coefficients, { out, backend }),
        ].map(outcome);
        for (let i = 0; i < turns; i++) await turn();
        takeAway(arrays[which]);
        for (const ended of await Promise.all(calls)) expect(good, `${which}, ${turns}`).toContain(ended);
      }
  });
});

describe.skipIf(!hasNative)("on another thread", () => {
  const backend = "native";
  const given = { gradGradInput: DDX, gradGradWeight: weight };

  test("the event loop goes on, and results are ordinary arrays", async () => {
    const { saved, coefficients } = ready(backend);
    let turns = 0;
    let isOver = false;
    const calls = Promise.all([
      batchNormDoubleBackwardAsync(saved, DY, given, { backend }),
      batchNormGradSumsAsync(DY, saved, { backend }),
      batchNormGradInputAsync(DY, saved, coefficients, { backend }),
    ]).finally(() => (isOver = true));
    while (!isOver) {
      await turn();
      turns++;
    }
    expect(turns).toBeGreaterThan(3);
    const [{ gradInput, gradGradOutput }, , parts] = await calls;
    for (const result of [gradInput, gradGradOutput, parts.gradInput]) {
      const { buffer } = result;
      expect(buffer).toBeInstanceOf(ArrayBuffer);
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
      expect(result.length).toBe(0);
    }
  });

  test("an array that goes away at once ends the call with a code, and the token serves another one", async () => {
    const { saved, coefficients } = ready(backend);
    for (const call of [
      (dy: Float32Array) => batchNormGradSumsAsync(dy, saved, { backend }),
      (dy: Float32Array) => batchNormDoubleBackwardAsync(saved, dy, given, { backend }),
      (dy: Float32Array) => batchNormGradInputAsync(dy, saved, coefficients, { backend }),
      (out: Float32Array) => batchNormGradInputAsync(DY, saved, coefficients, { out, backend }),
      (ddx: Float32Array) => batchNormDoubleBackwardAsync(saved, DY, { gradGradInput: ddx }, { backend }),
    ]) {
      const lost = DY.slice();
      const ended = outcome(call(lost));
      takeAway(lost);
      expect(await ended).toBe("ERR_BATCHNORM_DETACHED");
      expect(saved.life[0]).toBe(0);
    }
    const { gradInput } = await batchNormGradInputAsync(DY, saved, coefficients, { backend });
    const { saved: same } = ready(backend);
    expectSame(gradInput, batchNormBackward(DY, same, { backend }).gradInput, "afterwards");
  });

  test("a token whose gradInput took the place of x is lost when the call fails", async () => {
    const { x, saved, coefficients } = ready(backend);
    const controller = new AbortController();
    const call = batchNormGradInputAsync(DY, saved, coefficients, { out: x, backend, signal: controller.signal });
    await turn();
    controller.abort("enough");
    if ((await outcome(call)) === "fulfilled") return;
    expect(await outcome(batchNormGradSumsAsync(DY, saved, { backend }))).toBe("ERR_BATCHNORM_SAVED");
    expect(await outcome(batchNormDoubleBackwardAsync(saved, DY, given, { backend }))).toBe("ERR_BATCHNORM_SAVED");
  });

  test("a signal ends a call that runs, at any moment", async () => {
    const shape = [64, CHANNELS, 60, 60];
    const size = 64 * CHANNELS * 3600;
    const [x, dy, ddx] = [1, 2, 3].map((seed) => inShared(drawn("float32", size, seed) as Float32Array)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const { saved } = batchNormTraining(x, shape, { weight, activation: "relu", backend });
    const sums = batchNormGradSums(dy, saved, { backend });
    const coefficients = batchNormGradCoefficients(saved, sums);
    let aborted = 0;
    for (let turns = 0; turns < 8; turns++) {
      const controller = new AbortController();
      const options = { backend, signal: controller.signal } as const;
      const token = { ...saved, life: new Uint8Array(1) };
      const calls = [
        batchNormGradSumsAsync(dy, token, options),
        batchNormDoubleBackwardAsync(token, dy, { gradGradInput: ddx, gradGradWeight: weight }, options),
        batchNormGradInputAsync(dy, token, coefficients, options),
      ].map(outcome);
      for (let i = 0; i < turns; i++) await turn();
      controller.abort("enough");
      const ended = await Promise.all(calls);
      for (const one of ended) expect(["fulfilled", "enough"]).toContain(one);
      aborted += ended.filter((one) => one === "enough").length;
      // A call that has not ended well has not used its token up.
      expect(token.life[0]).toBe(ended[2] === "fulfilled" ? 1 : 0);
    }
    expect(aborted).toBeGreaterThan(0);
    expectSame(await batchNormGradSumsAsync(dy, saved, { backend }), sums, "afterwards");
  });
});
