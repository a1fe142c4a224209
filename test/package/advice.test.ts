// The advice for each reason against a binary, in the words of the loaders of glibc, musl and Node.
import { describe, expect, test } from "vitest";
import type { BackendStatus } from "../../src/backends/backend.js";
import { adviceOn } from "../../src/cli/advice.js";

const PATH = "/app/node_modules/batchnorm/prebuilds/linux-x64/batchnorm.glibc.node";
const DAMAGED = ["the native binary is damaged", true];
const FOREIGN = ["the native binary is for another machine", true];

const adviceFor = (reason: string): unknown[] => {
  const backends: BackendStatus[] = [
    { name: "native/avx2", status: "unavailable", reason },
    { name: "native/sse2", status: "unavailable", reason },
    { name: "wasm", status: "in use" },
  ];
  return adviceOn(backends).flatMap(({ about, isFault }) => [about, isFault]);
};

describe("a binary that cannot be loaded", () => {
  test.each<[string, unknown[]]>([
    ["object file has no loadable segments", DAMAGED],
    ["object file has no dynamic section", DAMAGED],
    ["ELF file data encoding not little-endian", DAMAGED],
    ["ELF load command phentsize not the expected size", DAMAGED],
    ["ELF load command alignment not page-aligned", DAMAGED],
    ["ELF load command address/offset not properly aligned", DAMAGED],
    ["ELF file's phentsize not the expected size", DAMAGED],
    ["ELF file OS ABI invalid", DAMAGED],
    ["ELF file ABI version invalid", DAMAGED],
    ["ELF file version does not match current one", DAMAGED],
    ["invalid ELF header", DAMAGED],
    ["file too short", DAMAGED],
    ["only ET_DYN and ET_EXEC can be loaded", DAMAGED],
    ["cannot dynamically load executable", DAMAGED],
    ["cannot dynamically load position-independent executable", DAMAGED],
    ["unsupported version 257 of Verneed record", DAMAGED],
    ["unsupported version 2 of Verdef record", DAMAGED],
    ["unexpected reloc type 0x83", DAMAGED],
    ["failed to map segment from shared object: Invalid argument", DAMAGED],
    ["wrong ELF class: ELFCLASS32", FOREIGN],
    ["version `GLIBC_2.99' not found (required by it)", ["this system is older than the native binary's glibc", false]],
  ])("%s", (message, expected) => {
    expect(adviceFor(`${PATH}: ${message}`)).toEqual(expected);
  });

  test.each<[string, unknown[]]>([
    [`${PATH} is truncated`, DAMAGED],
    [`${PATH} is not this library's addon`, DAMAGED],
    [`Module did not self-register: '${PATH}'.`, DAMAGED],
    [`${PATH} is for another machine, not for x64`, FOREIGN],
    [`Error loading shared library ${PATH}: Exec format error`, FOREIGN],
    [`EACCES: permission denied, open '${PATH}'`, ["the native binary cannot be read", true]],
    ["Cannot load native addon because loading addons is disabled.", ["this process may not load addons", false]],
    ["Access to this API has been restricted. Use --allow-addons", ["this process may not load addons", false]],
    [
      "libstdc++.so.6: cannot open shared object file: No such file",
      ["a library that the native binary needs is missing", false],
    ],
    [
      "it cannot be checked: WebAssembly.Memory(): could not allocate memory",
      ["this process may not have the memory that a backend needs", false],
    ],
    ["something else", ["something else", false]],
  ])("%s", (reason, expected) => {
    expect(adviceFor(reason)).toEqual(expected);
  });
});
