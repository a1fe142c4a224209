// Where the package's native binaries lie. The URLs are relative to this module: it stands directly in src/ and becomes a
// file of its own directly in dist/, so that they hold in both.

/**
 * The binary for this machine. Literal URLs of those that every release has: bundlers and file tracers find the files by
 * them, and webpack stops where one is missing. The others are builds of one's own.
 */
export function binaryUrl(
  { platform, arch }: Pick<NodeJS.Process, "platform" | "arch">,
  libc: "glibc" | "musl" | null,
): URL {
  const name = `${platform}-${arch}/batchnorm${libc === null ? "" : `.${libc}`}.node`;
  switch (name) {
    case "linux-x64/batchnorm.glibc.node":
      return new URL("../prebuilds/linux-x64/batchnorm.glibc.node", import.meta.url);
    case "linux-x64/batchnorm.musl.node":
      return new URL("../prebuilds/linux-x64/batchnorm.musl.node", import.meta.url);
    case "linux-arm64/batchnorm.glibc.node":
      return new URL("../prebuilds/linux-arm64/batchnorm.glibc.node", import.meta.url);
    default: {
      // Through a variable: webpack warns where it cannot tell which file a URL of this module means.
      const here = import.meta.url;
      return new URL(`../prebuilds/${name}`, here);
    }
  }
}

/** A file or folder of the package, by its path from the package's root. */
export function packageUrl(path: string): URL {
  const here = import.meta.url;
  return new URL(`../${path}`, here);
}
