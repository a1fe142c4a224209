// What is read of a binary before it is mapped.
import * as fs from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { faultOf, interpreterOf } from "../../src/backends/native/elf.js";
import { temporaryFolder } from "../support/folders.js";

/** A file of two segments, the second of which names the dynamic linker, and of no section. */
function elfWith(interpreter: string): string {
  const file = Buffer.alloc(64 + 2 * 56 + interpreter.length);
  file.writeUInt32BE(0x7f454c46, 0);
  file.writeBigUInt64LE(64n, 0x20);
  file.writeUInt16LE(56, 0x36);
  file.writeUInt16LE(2, 0x38);
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(3, 64 + 56);
  file.writeBigUInt64LE(64n + 2n * 56n, 64 + 56 + 8);
  file.writeBigUInt64LE(BigInt(interpreter.length), 64 + 56 + 32);
  file.write(interpreter, 64 + 2 * 56);
  return write(file);
}

function write(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), "file");
  fs.writeFileSync(path, bytes);
  return path;
}

test("the dynamic linker tells musl from glibc", () => {
  expect(interpreterOf(fs, elfWith("/lib/ld-musl-x86_64.so.1"))).toBe("/lib/ld-musl-x86_64.so.1");
  expect(interpreterOf(fs, elfWith("/lib64/ld-linux-x86-64.so.2"))).toBe("/lib64/ld-linux-x86-64.so.2");
});

test.runIf(process.platform === "linux")("of this process too", () => {
  expect(interpreterOf(fs, "/proc/self/exe")).toMatch(/\/ld-(linux|musl)-/);
});

test.each([
  ["empty", new Uint8Array(0)],
  ["short", new Uint8Array(63)],
  ["no ELF file", Buffer.alloc(200, "#!/bin/sh\n")],
])("a file that is %s names none", (_, bytes) => {
  expect(interpreterOf(fs, write(bytes))).toBe("");
});

test("segments past the end of a file are none", () => {
  const whole = fs.readFileSync(elfWith("/lib/ld-musl-x86_64.so.1"));
  expect(interpreterOf(fs, write(whole.subarray(0, 100)))).toBe("");
});

test("a file that its section table reaches beyond is truncated", () => {
  const whole = fs.readFileSync(elfWith("/lib/ld"));
  whole.writeBigUInt64LE(BigInt(whole.length - 64), 0x28);
  whole.writeUInt16LE(64, 0x3a);
  whole.writeUInt16LE(1, 0x3c);
  const faultIn = (bytes: Uint8Array): string | null => faultOf(fs, write(bytes), "riscv64");
  expect(faultIn(whole)).toBeNull();
  expect(faultIn(whole.subarray(0, -1))).toBe("is truncated");
  expect(faultIn(whole.subarray(0, 10))).toBe("is truncated");
});

test("a file for another machine is told from one for this, where there is a prebuild for this", () => {
  const whole = fs.readFileSync(elfWith("/lib/ld"));
  whole.writeUInt16LE(183, 0x12);
  const path = write(whole);
  expect(["arm64", "x64", "riscv64"].map((arch) => faultOf(fs, path, arch))).toEqual([
    null,
    "is for another machine, not for x64",
    null,
  ]);
  expect(faultOf(fs, write(Buffer.alloc(200, "#!/bin/sh\n")), "x64")).toBeNull();
});
