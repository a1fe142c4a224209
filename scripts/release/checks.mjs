// What must hold of a tarball before anybody gets it.

/** Bytes, packed. */
export const LIMIT = 3_000_000;

const ON_INSTALL = ["preinstall", "install", "postinstall"];
const DEPENDENCIES = ["dependencies", "optionalDependencies"];

/** Files that a script names, and the tools of devDependencies, which nobody has who installs the package. */
const FILES = /[\w@./-]+\.(?:[cm]?[jt]s|json|sh)\b/g;

/** Of scripts that cannot work from the tarball, each with what it lacks. */
function lackingScripts({ scripts = {} }, paths) {
  return Object.entries(scripts).flatMap(([name, command]) => {
    const lacked = (command.match(FILES) ?? []).filter((file) => !paths.includes(file.replace(/^\.\//, "")));
    return lacked.map((file) => `the script "${name}" needs ${file}`);
  });
}

/** Packages that npm would install unasked. */
function neededPeers({ peerDependencies = {}, peerDependenciesMeta = {} }) {
  return Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
}

/**
 * What is wrong with it, each as a sentence; empty where all is well.
 * @param {object} tarball
 * @param {number} tarball.size Packed.
 * @param {readonly string[]} tarball.paths
 * @param {Record<string, unknown>} tarball.manifest The package.json in it.
 * @param {readonly string[]} binaries That must be in it, under prebuilds/.
 * @returns {string[]}
 */
export function faultsOf({ size, paths, manifest }, binaries) {
  const expected = ["checksums.json", ...binaries].map((name) => `prebuilds/${name}`);
  const found = paths.filter((path) => path.startsWith("prebuilds/"));
  return [
    ...expected.filter((path) => !found.includes(path)).map((path) => `${path} is missing`),
    ...found.filter((path) => !expected.includes(path)).map((path) => `${path} is not a binary of a release`),
    // npm runs node-gyp where it finds one there.
    ...(paths.includes("binding.gyp") ? ["binding.gyp is in the root: npm would compile on install"] : []),
    ...ON_INSTALL.filter((name) => manifest.scripts?.[name]).map((name) => `the script "${name}" runs on install`),
    ...lackingScripts(manifest, paths),
    ...DEPENDENCIES.filter((name) => manifest[name]).map((name) => `it has ${name}`),
    ...neededPeers(manifest).map((name) => `the peer dependency "${name}" is not optional`),
    ...(size > LIMIT ? [`${size} bytes packed, at most ${LIMIT}`] : []),
  ];
}
