// Builds the addon with Clang, warnings being errors, in a folder of its own, and runs the digest on every instruction set
// that this CPU has. GCC accepts what Clang refuses, and a release for musl is built with Clang. Ends with
// "N passed, N failed" and a status.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildNative } from "../build/native.mjs";
import { compilePlain, copyNativeSources, installPrebuilds } from "./plain.mjs";

const results = { passed: 0, failed: 0 };
function check(what, isRight) {
  results[isRight ? "passed" : "failed"]++;
  console.log(`${what}: ${isRight ? "passed" : "failed"}`);
}

/** Builds into build/clang-addon/; the path of the addon, or null where Clang refuses something. */
function build(root) {
  try {
    const { built, path, reason } = buildNative({ quiet: true, root, env: { ...process.env, CXX: "clang++" } });
    if (!built) throw new Error(reason);
    return path;
  } catch (error) {
    console.log(error.message);
    return null;
  }
}

/** Every native backend that loads here, in order of preference; the digest checks the addon that stands in the folder. */
async function nativeBackends(folder) {
  const { backends } = await import(pathToFileURL(join(folder, "src", "backends", "backend.js")).href);
  const native = backends().filter(({ name }) => name.startsWith("native/"));
  for (const { name, status, reason } of native) console.log(`${name}: ${status}${reason ? `, ${reason}` : ""}`);
  return native.filter(({ status }) => status === "in use" || status === "available").map(({ name }) => name);
}

const root = copyNativeSources("clang-addon");
const addon = build(root);
check("compiles without warnings", addon !== null);
if (addon !== null) {
  // The compiler leaves its name in what it compiles.
  check("is Clang's work", readFileSync(addon, "latin1").includes("clang version"));
  const folder = compilePlain("clang");
  installPrebuilds(root, folder);
  const names = await nativeBackends(folder);
  const digest = join(folder, "test", "plain", "digest.js");
  const { status } = spawnSync(process.execPath, [digest, ...names.slice(0, 1), ...names], { stdio: "inherit" });
  check(`digest of ${names.join(", ")}`, names.length > 0 && status === 0);
}
console.log(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed > 0 ? 1 : 0;
