// One case on every backend, compared with the oracle bit for bit.
import { backends, type BackendName } from "../../src/index.js";
import type { Data } from "../../src/base/types.js";
import { firstDifference } from "../support/guarded.js";
import type { FuzzCase } from "./draw.js";
import { play } from "./play.js";
import type { Entry } from "./recorder.js";

export interface Contender {
  readonly name: BackendName;
  readonly lacks: readonly string[];
}

/** The backends that work here, without the oracle. */
export function contenders(): Contender[] {
  return backends()
    .filter(({ name, status }) => name !== "oracle" && (status === "in use" || status === "available"))
    .map(({ name, lacks = [] }) => ({ name, lacks }));
}

/** An entry's name, and an error's text. */
function nameOf(entry: Entry | undefined): string {
  if (!entry) return "nothing";
  return typeof entry.value === "string" && entry.value ? `${entry.name} (${entry.value})` : entry.name;
}

function differenceOf(expected: Entry | undefined, got: Entry | undefined): string | null {
  if (!expected || !got || expected.name !== got.name) return `${nameOf(got)} where the oracle has ${nameOf(expected)}`;
  const [want, have] = [expected.value, got.value];
  if (typeof want === "string" || typeof have === "string")
    return want === have ? null : `${got.name}: ${tell(have)} where the oracle has ${tell(want)}`;
  if (want.length !== have.length) return `${got.name}: ${have.length} elements, the oracle's are ${want.length}`;
  const at = firstDifference(want, have, expected.dtype);
  return at < 0 ? null : `${got.name}[${at}] expected ${want[at]}, got ${have[at]}`;
}

const tell = (value: Data | string): string => (typeof value === "string" ? value : `${value.length} elements`);

/** How two runs of a case differ first; null where they do not. */
export function firstDifferenceOf(expected: readonly Entry[], got: readonly Entry[]): string | null {
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    const difference = differenceOf(expected[i], got[i]);
    if (difference !== null) return difference;
  }
  return null;
}

export interface Compared {
  /** "backend: array[element] expected …, got …". */
  readonly faults: readonly string[];
  /** Backends that were compared. */
  readonly runs: number;
  /** Whether the oracle gave results, and not only an error. */
  readonly isAccepted: boolean;
}

/** `players` can be others in a test of this comparison. */
export function compareCase(one: FuzzCase, others: readonly Contender[], player: typeof play = play): Compared {
  const expected = play(one, "oracle");
  const able = others.filter(({ lacks }) => !lacks.includes(one.dtype));
  const faults = able.flatMap(({ name }) => {
    const difference = firstDifferenceOf(expected, player(one, name));
    return difference === null ? [] : [`${name}: ${difference}`];
  });
  return {
    faults,
    runs: able.length,
    isAccepted: expected.some(({ name, value }) => name !== "memory" && typeof value !== "string"),
  };
}
