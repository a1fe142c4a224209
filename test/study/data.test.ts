// The study's data: the IDX reader on files made here, and the check of their hashes.
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseIdx, readIdx } from "../../study/data/idx.js";
import { readSamples } from "../../study/data/mnist.js";
import { folderOfTests } from "../support/folders.js";

function idx(sizes: readonly number[], data: readonly number[], type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.set([0, 0, type, sizes.length]);
  sizes.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([header, Buffer.from(data)]);
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe("the IDX reader", () => {
  test("reads sizes and elements", () => {
    const { sizes, data } = parseIdx(idx([2, 1, 3], [1, 2, 3, 4, 5, 255]), "x");
    expect(sizes).toEqual([2, 1, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 255]);
  });

  test.each([
    ["no IDX file", Buffer.from("PNG file"), /x is no IDX file/],
    ["an empty file", Buffer.alloc(0), /x is no IDX file/],
    ["floats", idx([1], [0, 0, 0, 0], 0x0d), /must hold unsigned bytes.* type is 13/],
    ["half a header", idx([2, 2], []).subarray(0, 9), /ends in its header, after 9 of 12 bytes/],
    ["a file cut off", idx([2, 2], [1, 2, 3]), /must have 16 bytes for 2×2 elements, but it has 15/],
    ["a file too long", idx([1], [1, 2]), /must have 9 bytes for 1 elements, but it has 10/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseIdx(bytes, "x")).toThrow(message);
  });
});

describe("files", () => {
  const folder = folderOfTests();
  const images = idx([2, 1, 2], [0, 51, 255, 102]);
  const labels = idx([2], [7, 3]);
  const put = (name: string, bytes: Buffer): readonly [string, string] => {
    writeFileSync(join(folder, name), bytes);
    return [name, sha256(bytes)];
  };

  test("become samples in [0, 1], in shared memory", () => {
    const samples = readSamples(folder, { images: put("images", images), labels: put("labels", labels) });
    expect(samples.count).toBe(2);
    expect([...samples.images]).toEqual([0, Math.fround(0.2), 1, Math.fround(0.4)]);
    expect([...samples.labels]).toEqual([7, 3]);
    expect(samples.images.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  test("are refused when a byte of them is another", () => {
    const [name] = put("images", images);
    const changed = Buffer.from(images);
    changed[changed.length - 1]! ^= 1;
    expect(() => readIdx(join(folder, name), sha256(changed))).toThrow(/is not the file that is meant: its SHA-256 is/);
  });

  test("are refused when they do not belong together", () => {
    const files = { images: put("images", images), labels: put("labels", idx([3], [1, 2, 3])) };
    expect(() => readSamples(folder, files)).toThrow(/2 images have 3 labels/);
    const wrong = { images: put("images", images), labels: put("labels", idx([2], [1, 10])) };
    expect(() => readSamples(folder, wrong)).toThrow(/has the label 10, which is no digit/);
  });
});
