// Builds one binary so that its bytes depend on the sources and the compiler alone, and shows it by building it twice.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildNative } from "../build/native.mjs";
import { copyNativeSources, repository } from "../check/plain.mjs";
import { sha256 } from "./manifest.mjs";
import { ZIG_CACHE } from "./targets.mjs";

const EXPORTS = join(repository, "scripts", "release", "exports.map");

/** In a folder of its own under build/; the path of the binary. Symbols of kernels are stripped: -s. */
export function buildTarget({ file, arch, libc, compiler, compile }, folder) {
  const root = copyNativeSources(join("release-builds", folder, file.replaceAll("/", "-")));
  mkdirSync(ZIG_CACHE, { recursive: true });
  const env = {
    ...process.env,
    CXX: compiler,
    CXXFLAGS: `${compile} -ffile-prefix-map=${root}=.`,
    LDFLAGS: `-s -Wl,--build-id=none -Wl,--version-script=${EXPORTS}`,
    ZIG_LOCAL_CACHE_DIR: ZIG_CACHE,
    ZIG_GLOBAL_CACHE_DIR: ZIG_CACHE,
  };
  const built = buildNative({ quiet: true, root, arch, libc, env });
  if (!built.built) throw new Error(`${file}: ${built.reason}`);
  return built.path;
}

/** The bytes, which are the same when built in another folder and hold the path of neither. */
export function buildReproducibly(target) {
  const [first, second] = ["first", "another-folder"].map((folder) => readFileSync(buildTarget(target, folder)));
  if (sha256(first) !== sha256(second)) throw new Error(`${target.file} is another one when built in another folder`);
  if (first.includes(repository)) throw new Error(`${target.file} holds the path of the folder it was built in`);
  return first;
}
