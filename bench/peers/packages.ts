// The peers' packages, apart from the library's.
import { packagesIn } from "../../scripts/tools/packages.js";

const packages = packagesIn(new URL("packages/", import.meta.url));

export const { load: loadPackage, versionOf } = packages;

/** Where that fails, some peers are missing. */
export function installPackages(tell: (line: string) => void): void {
  const failure = packages.install("the peers' packages, half a gigabyte", tell);
  if (failure !== null) tell(`some peers will be missing: ${failure}`);
}
