// Archives with sizes of 64 bits, which no test can write: files of torch that have zeros where nobody looks.
import { expect, test } from "vitest";
import { findBatchNorms, open, type FileSource } from "../../src/pytorch.js";
import { dict, integer, storage, tensor, text } from "./archives.js";

/** A file that has zeros beyond some parts. */
function sparse(size: number, parts: ReadonlyMap<number, Uint8Array>): FileSource {
  const read: FileSource["read"] = (buffer, offset, length, position) => {
    for (const [start, part] of parts) {
      const inside = part.subarray(Math.max(0, position - start), Math.max(0, position + length - start));
      if (inside.length > 0) buffer.set(inside, offset + Math.max(0, start - position));
    }
    return Promise.resolve({ bytesRead: length });
  };
  return { stat: () => Promise.resolve({ size }), read };
}

/** Integers of 2, 4 and 8 bytes, each as `[size, value]`. */
function record(...fields: readonly (readonly [2 | 4 | 8, number])[]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([size, value]) => [...new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)].slice(0, size)),
  );
}

/** An entry of the directory whose size and place take 64 bits. */
function listed(name: string, size: number, offset: number): Uint8Array {
  const full = 2 ** 32 - 1;
  const sizes: (readonly [2 | 4 | 8, number])[] = [
    [4, 0],
    [4, full],
    [4, full],
    [2, name.length],
    [2, 28],
    [2, 0],
    [4, 0],
    [4, 0],
    [4, full],
  ];
  const head = record([4, 0x02014b50], [2, 45], [2, 45], [4, 0], [4, 0], ...sizes);
  return Uint8Array.of(
    ...head,
    ...new TextEncoder().encode(name),
    ...record([2, 1], [2, 24], [8, size], [8, size], [8, offset]),
  );
}

/** An archive of 16 GB in zip64, as torch writes of a large model. `at` is where its end says that the directory's end is. */
function huge(at?: number): FileSource {
  const hole = 2 ** 34;
  const pickle = dict(text("running_mean"), tensor({ of: storage("0", hole / 4), offset: integer(hole / 4 - 2) }));
  const local = (name: string): Uint8Array =>
    Uint8Array.of(
      ...record([4, 0x04034b50], [8, 0], [8, 0], [4, 0], [2, 0], [2, name.length], [2, 0]),
      ...new TextEncoder().encode(name),
    );
  const [first, second] = ["archive/data/0", "archive/data.pkl"] as const;
  const heads = [local(first), local(second)] as const;
  const start = heads[0].length + hole;
  const begin = start + heads[1].length + pickle.length;
  const directory = Uint8Array.of(...listed(first, hole, 0), ...listed(second, pickle.length, start));
  const end = begin + directory.length;
  const end64 = record(
    [4, 0x06064b50],
    [8, 44],
    [4, 0],
    [4, 0],
    [4, 0],
    [8, 2],
    [8, 2],
    [8, directory.length],
    [8, begin],
  );
  const locator = record([4, 0x07064b50], [4, 0], [8, at ?? end], [4, 1]);
  const last = record([4, 0x06054b50], [4, 0], [2, 65535], [2, 65535], [4, 2 ** 32 - 1], [4, 2 ** 32 - 1], [2, 0]);
  const tail = Uint8Array.of(...heads[1], ...pickle, ...directory, ...end64, ...locator, ...last);
  const values = new Uint8Array(Float32Array.of(5, 6).buffer);
  const parts = new Map([
    [0, heads[0]],
    [start - 8, values],
    [start, tail],
  ]);
  return sparse(start + tail.length, parts);
}

test("a file of 16 GB is read by parts", async () => {
  const file = await open(huge());
  expect(await findBatchNorms(file)).toMatchObject([{ prefix: "", channels: 2 }]);
  expect(await file.tensors.get("running_mean")!.read()).toEqual(Float32Array.of(5, 6));
});

test.each([2 ** 40, 5])("a file whose end says another place: %i", async (at) => {
  await expect(open(huge(at))).rejects.toMatchObject({
    code: "ERR_BATCHNORM_FILE",
    message: expect.stringContaining("the zip archive expected") as string,
  });
});
