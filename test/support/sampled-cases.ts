// A sample of the kernel cases: some of each traversal, element type and kind of data.
import type { Case } from "../../src/verify/cases.js";
import { sample } from "./sample.js";

export function sampleCases(what: string, cases: readonly Case[], size: number): readonly Case[] {
  return sample(what, cases, size, ({ traversal, dtype, kind }) => [`${traversal} ${dtype} ${kind}`]);
}
