// The committed digest is that of the oracle and of every backend here: a drifting oracle does not go unseen.
import { beforeAll, describe, expect, test } from "vitest";
import { Traversal } from "../../src/kernels/layout.js";
import { contractVersion, type Kernels } from "../../src/kernels/kernels.js";
import { backendsUnderTest, reportMissing } from "../support/backends.js";
import { cases, halfCases, type Case } from "../../src/verify/cases.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import { DTYPES, type Data } from "../../src/base/types.js";
import { Digest, differences, digestsOf, type Hashes } from "../../src/verify/digest.js";
import { expected as file } from "../../src/verify/expected.js";
import { sample } from "../support/sample.js";

const few = cases.filter(({ extent }) => extent.outer * extent.channels * extent.inner < 1000);

test("is of this version of the contract and of all cases", () => {
  expect([file.contractVersion, file.cases]).toEqual([contractVersion, cases.length + halfCases.length]);
});

reportMissing();

describe(`${file.cases} cases`, () => {
  const available = backendsUnderTest.flatMap(({ name, kernels, has16Bit }) =>
    kernels ? [{ name, kernels, has16Bit }] : [],
  );
  // Every digest of a traversal and an element type is made of all its cases: whole digests are left out, not cases.
  const groups = (Object.keys(Traversal) as (keyof typeof Traversal)[]).flatMap((traversal) =>
    DTYPES.map((dtype) => ({ traversal, dtype })),
  );
  const chosen = sample("digests of every backend", groups, 4, ({ traversal, dtype }) => [traversal, dtype]);
  const isChosen = (one: Case): boolean =>
    chosen.some(({ traversal, dtype }) => Traversal[traversal] === one.traversal && dtype === one.dtype);
  const with16Bit = available.filter(({ has16Bit }) => has16Bit);
  const digests = new Map<Kernels, Hashes>();
  beforeAll(() => {
    const add = (list: readonly { kernels: Kernels }[], some: readonly Case[]): void => {
      const all = list.map(({ kernels }) => kernels);
      digestsOf(all, some.filter(isChosen)).forEach((found, i) =>
        digests.set(all[i]!, { ...digests.get(all[i]!), ...found }),
      );
    };
    add(available, cases);
    add(with16Bit, halfCases);
  });
  test.each(available)("$name", ({ kernels, has16Bit }) => {
    const expected = Object.entries(file.hashes)
      .filter(([group]) => has16Bit || !/float16/.test(group))
      .filter(([group]) => chosen.some(({ traversal, dtype }) => group.startsWith(`${traversal} ${dtype} `)));
    const found = differences(Object.fromEntries(expected), digests.get(kernels)!);
    expect(found, "node scripts/check/digest.mjs --write").toEqual([]);
  });
});

const spoilt = few.find(({ dtype, kind }) => dtype === "float32" && kind === "gaussian")!;

/** The digest of the few after a change to one result. */
function digestWith(change: (y: Data) => void): Hashes {
  const digest = new Digest();
  for (const one of few) {
    const reference = referenceOf(one);
    if (one === spoilt) change(reference.calls.find(({ kernel }) => kernel === "normalize")!.operands.y!);
    digest.add(reference);
  }
  return digest.result();
}

test("one bit makes another digest and is named by traversal, type and kernel", () => {
  const same = digestWith(() => undefined);
  const changed = digestWith((y) => (new Uint8Array(y.buffer, y.byteOffset)[0]! ^= 1));
  expect(differences(same, changed)).toEqual([
    expect.stringMatching(/^\w+ float32 normalize expected [0-9a-f]{16}, got [0-9a-f]{16}$/),
  ]);
});

test("the payload of a NaN does not count", () => {
  const withNaN = (bits: number): Hashes => digestWith((y) => (new Uint32Array(y.buffer, y.byteOffset)[0] = bits));
  expect(withNaN(0x7fc00000)).toEqual(withNaN(0xffc12345));
  expect(withNaN(0x7fc00000)).not.toEqual(withNaN(0x7f800000));
});
