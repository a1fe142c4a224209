// The memory of an asynchronous call, without threads: what is handed to kernels, and what never is.
import { expect, test, vi } from "vitest";
import { MemoryPool, makeShared } from "../../src/backends/off-thread/memory-pool.js";
import { type MemoryPart, type OffThread } from "../../src/backends/off-thread/off-thread.js";
import { Session } from "../../src/backends/off-thread/session.js";
import { Control } from "../../src/kernels/control.js";

const EXTENT = { outer: 4, channels: 3, inner: 500 };
const SIZE = 6000;

function sessionOn(run: OffThread["start"] = () => Promise.resolve()): {
  session: Session;
  start: ReturnType<typeof vi.fn<OffThread["start"]>>;
} {
  const start = vi.fn(run);
  const pool = new MemoryPool(makeShared);
  const unused = (): never => expect.fail("no output was asked for");
  const offThread = { sharesMemory: true, pool, mostCalls: () => 1, start, makeOutput: unused, takeOutput: unused };
  return { session: new Session(offThread, null), start };
}

const lost = expect.objectContaining({ code: "ERR_BATCHNORM_DETACHED" }) as Error;
const takeAway = (array: Float32Array): void => void structuredClone(array, { transfer: [array.buffer] });

test.each(["before it is first looked at", "after it was kept", "while the first one is copied"])(
  "no kernel gets an array that was taken away %s",
  async (when) => {
    const { session, start } = sessionOn();
    const [x, y] = [new Float32Array(SIZE), new Float32Array(SIZE)];
    if (when === "before it is first looked at") takeAway(y);
    else session.keep(y);
    if (when === "after it was kept") takeAway(y);
    const call = session.kernels.normalize(new Control("float32", EXTENT), x, y, null);
    if (when === "while the first one is copied") takeAway(y);
    await expect(call).rejects.toThrow(lost);
    expect(start).not.toHaveBeenCalled();
  },
);

test("an array that is kept is copied once each way, parts of it are parts of its copy, and shared ones are not copied", async () => {
  const seen: unknown[] = [];
  const { session } = sessionOn((_kernel, _control, _stop, [x, y]) => {
    seen.push(x);
    const { memory, offset, length } = y as MemoryPart;
    new Float32Array(memory.buffer, offset, length).fill(7);
    return Promise.resolve();
  });
  const shared = new Float32Array(new SharedArrayBuffer(4 * SIZE));
  const y = new Float32Array(2 * SIZE);
  session.keep(y);
  await session.kernels.normalize(new Control("float32", EXTENT), shared, y.subarray(SIZE), null);
  expect(seen).toEqual([shared]);
  expect(y[SIZE]).toBe(0);
  const half = new Control("float32", { ...EXTENT, outer: 2 });
  await session.kernels.normalize(half, shared.subarray(0, SIZE / 2), y.subarray(0, SIZE / 2), null);
  await session.finish();
  expect([y[0], y[SIZE / 2 - 1], y[SIZE], y[2 * SIZE - 1]]).toEqual([7, 7, 7, 7]);
  session.close();
});

test("scratch is never copied", async () => {
  const { session, start } = sessionOn();
  const scratch = session.scratch("float32", SIZE);
  const x = new Float32Array(SIZE).fill(3);
  const control = new Control("float32", EXTENT);
  await session.kernels.normalize(control, x, scratch, null);
  await session.kernels.normalize(control, scratch, x, null);
  const [written, read] = start.mock.calls.map(([, , , operands]) => operands as MemoryPart[]);
  expect(read![0]!.memory).toBe(written![1]!.memory);
  await session.finish();
  session.close();
});
