// What npx batchnorm doctor says of the native binary: in copies of the built package.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Report } from "../../src/cli/report.js";
import { hasNative } from "../support/backends.js";
import { adviceOf, cli, doctor, inUse, version } from "../support/cli.js";
import { packageCopy } from "../support/package-copy.js";

/** The binary that the loader of this machine looks for, relative to prebuilds/. */
function binaryIn(folder: string): { name: string; path: string } {
  const { machine } = doctor({ folder }).report;
  const name = `${machine.platform}-${machine.arch}/batchnorm.${machine.libc}.node`;
  return { name, path: join(folder, "prebuilds", name) };
}

describe.skipIf(!hasNative)("the native binary", () => {
  const manifestOf = (name: string, sha256: string, bytes: number): string =>
    JSON.stringify({ version, files: { [name]: { sha256, bytes } } });

  test("missing: WASM, no failure", () => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds"), { recursive: true });
    const { report, status } = doctor({ folder });
    expect([status, inUse(report), report.binary.checksum]).toEqual([0, "wasm", "no binary"]);
    expect(adviceOf(report)).toEqual(["there is no native binary here"]);
  });

  test.each([
    ["truncated to 1000 bytes", (path: string) => truncateSync(path, 1000)],
    ["truncated to 1000000 bytes", (path: string) => truncateSync(path, 1_000_000)],
    [
      "a folder in its place",
      (path: string) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
    [
      "a pipe in its place",
      (path: string) => {
        rmSync(path);
        execFileSync("mkfifo", [path]);
      },
    ],
  ])("%s: damaged", (_, spoil) => {
    const folder = packageCopy();
    spoil(binaryIn(folder).path);
    const { report, status } = doctor({ folder });
    expect([status, inUse(report)]).toEqual([1, "wasm"]);
    expect(adviceOf(report)).toEqual(["the native binary is damaged"]);
  });

  test("without a library that it needs: WASM, no failure, the library named", () => {
    const folder = packageCopy();
    const { path } = binaryIn(folder);
    const text = readFileSync(path, "latin1");
    expect(text).toContain("\0libstdc++.so.6\0");
    writeFileSync(path, text.replace("\0libstdc++.so.6\0", "\0libstdc++.so.9\0"), "latin1");
    const { report, status } = doctor({ folder });
    expect([status, inUse(report)]).toEqual([0, "wasm"]);
    expect(report.backends[0]!.reason).toContain("libstdc++.so.9");
    expect(adviceOf(report)).toEqual(["a library that the native binary needs is missing"]);
  });

  test("beside checksums: matches, differs, or is not listed", () => {
    const folder = packageCopy();
    const { name, path } = binaryIn(folder);
    const sha256 = createHash("sha256").update(readFileSync(path)).digest("hex");
    const bytes = statSync(path).size;
    const checked = (manifest: string): [string, number | null] => {
      writeFileSync(join(folder, "prebuilds", "checksums.json"), manifest);
      const { report, status } = doctor({ folder });
      expect(report.binary).toMatchObject({ sha256, bytes });
      return [report.binary.checksum, status];
    };
    rmSync(join(folder, "prebuilds", "checksums.json"), { force: true });
    expect(doctor({ folder }).report.binary.checksum).toBe("no manifest: a build of one's own");
    expect(checked(manifestOf(name, sha256, bytes))).toEqual(["matches", 0]);
    expect(checked(manifestOf(name, sha256.replace(/./g, "0"), bytes))).toEqual(["differs", 1]);
    expect(checked(manifestOf("win32-x64/batchnorm.node", sha256, bytes))).toEqual([
      "not in the manifest: a build of one's own",
      0,
    ]);
  });

  test.each([
    ["{", /^checksums\.json: .*JSON/],
    ["{}", /^checksums\.json: it has no list "files"$/],
    ["[]", /^checksums\.json: it has no list "files"$/],
    ["null", /^checksums\.json: it has no list "files"$/],
    ['{ "files": null }', /^checksums\.json: it has no list "files"$/],
  ])("beside checksums that cannot be used, %s: not compared, and not loaded", (manifest, error) => {
    const folder = packageCopy();
    writeFileSync(join(folder, "prebuilds", "checksums.json"), manifest);
    const { report, status } = doctor({ folder });
    expect([report.binary.checksum, status, inUse(report)]).toEqual(["differs", 1, "wasm"]);
    expect(report.binary.error).toMatch(error);
    expect(adviceOf(report)).toEqual(["prebuilds/checksums.json is damaged"]);
    expect(report.backends[0]!.reason).toContain(`is not loaded; ${report.binary.error!}: install the package again`);
    expect(cli(["doctor"], { folder }).stdout).toContain(`\n  not compared: ${report.binary.error!}\n`);
  });

  test("for another machine: WASM, and that it is so", () => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds", "checksums.json"), { force: true });
    const { path } = binaryIn(folder);
    const bytes = readFileSync(path);
    bytes.writeUInt16LE(243, 0x12);
    writeFileSync(path, bytes);
    const { report, status } = doctor({ folder });
    expect([status, inUse(report)]).toEqual([1, "wasm"]);
    expect(adviceOf(report)).toEqual(["the native binary is for another machine"]);
  });

  test("that this user may not read: WASM, and that it is so", () => {
    const folder = packageCopy();
    chmodSync(folder, 0o755);
    chmodSync(binaryIn(folder).path, 0);
    // The superuser may read everything.
    const user = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    const program = join(folder, "dist", "cli.js");
    const { stdout, status } = spawnSync(process.execPath, [program, "doctor", "--json"], {
      encoding: "utf8",
      ...user,
    });
    const report = JSON.parse(stdout) as Report;
    expect([status, inUse(report), report.binary.checksum]).toEqual([1, "wasm", "not readable"]);
    expect(adviceOf(report)).toEqual(["the native binary cannot be read"]);
  });

  // Offsets of the header's fields: what dlopen says of each is in test/package/advice.test.ts.
  test.each([
    ["the byte order", 5, 2],
    ["the system", 7, 0x7f],
    ["the kind of file", 0x10, 2],
    ["the size of an entry of the table of segments", 0x36, 57],
    ["the number of segments", 0x38, 0],
  ])("with a wrong byte in %s: damaged", (_, at, value) => {
    const folder = packageCopy();
    rmSync(join(folder, "prebuilds", "checksums.json"), { force: true });
    const { path } = binaryIn(folder);
    const bytes = readFileSync(path);
    bytes[at] = value;
    writeFileSync(path, bytes);
    const { report, status } = doctor({ folder });
    console.log(report.backends[0]!.reason);
    expect([status, inUse(report)]).toEqual([1, "wasm"]);
    expect(adviceOf(report)).toEqual(["the native binary is damaged"]);
  });
});
