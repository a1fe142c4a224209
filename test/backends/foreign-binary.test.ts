// A binary for another machine in the place of ours: unavailable with a reason, WebAssembly used, no crash.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hasNative } from "../support/backends.js";
import { backendsIn, packageCopy } from "../support/package-copy.js";

/** ELF header: class at 4 (1: 32 bit), byte order at 5 (2: big endian), machine at 0x12. */
const CLASS = 4;
const ORDER = 5;
const MACHINE = 0x12;
const EM = { i386: 3, x64: 62, arm64: 183, riscv64: 243 } as const;

function patched(offset: number, ...bytes: number[]): (binary: Buffer) => Buffer {
  return (binary) => {
    const copy = Buffer.from(binary);
    copy.set(bytes, offset);
    return copy;
  };
}

const FOREIGN: readonly [string, (binary: Buffer) => Buffer][] = [
  ...(["x64", "arm64", "riscv64"] as const)
    .filter((arch) => arch !== process.arch)
    .map((arch): [string, (binary: Buffer) => Buffer] => [arch, patched(MACHINE, EM[arch], 0)]),
  ["i386, of 32 bits", (binary) => patched(MACHINE, EM.i386, 0)(patched(CLASS, 1)(binary))],
  ["the other byte order", patched(ORDER, 2)],
  ["macOS", () => Buffer.concat([Buffer.from("cffaedfe0c000001", "hex"), Buffer.alloc(4096)])],
  ["Windows", () => Buffer.concat([Buffer.from("MZ"), Buffer.alloc(4096)])],
];

describe.skipIf(process.platform !== "linux" || !hasNative)("a binary for", () => {
  test.each(FOREIGN)("%s", (_, change) => {
    const folder = packageCopy();
    const paths = ["batchnorm.glibc.node", "batchnorm.musl.node"]
      .map((name) => join(folder, "prebuilds", `${process.platform}-${process.arch}`, name))
      .filter((path) => existsSync(path));
    expect(paths).not.toHaveLength(0);
    for (const path of paths) writeFileSync(path, change(readFileSync(path)));
    const { list } = backendsIn(folder);
    for (const { name, status, reason } of list) {
      if (name.startsWith("native/")) expect({ name, status, reason }).toMatchObject({ status: "unavailable" });
    }
    const { reason } = list.find(({ name }) => name.startsWith("native/"))!;
    console.log(reason);
    expect(reason).toContain(paths[0]);
    expect(list.find(({ name }) => name === "wasm")!.status).toBe("in use");
  });
});
