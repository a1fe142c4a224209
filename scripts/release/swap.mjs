// For `npm pack` in a clone: node swap.mjs published|own. Before packing it puts the published package.json in the place of
// the clone's own, afterwards it puts that back. Nothing else here uses it, since a folder can be packed only once at a time.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repository } from "../check/plain.mjs";
import { manifestText, publishedManifest } from "./stage.mjs";

const manifest = join(repository, "package.json");
const kept = join(repository, "build", "own-package.json");

if (process.argv[2] === "published") {
  mkdirSync(dirname(kept), { recursive: true });
  copyFileSync(manifest, kept);
  writeFileSync(manifest, manifestText(publishedManifest(JSON.parse(readFileSync(manifest, "utf8")))));
} else {
  copyFileSync(kept, manifest);
}
