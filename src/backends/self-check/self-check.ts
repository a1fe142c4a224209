// The check every backend passes before it is used: its results on `cases` must be the oracle's, bit for
// bit. The oracle's hashes stand here, because running it cold takes tens of milliseconds and a healthy
// backend a few; it is run to say which element is wrong.
import type { Kernels } from "../../kernels/kernels.js";
import { oracle } from "../oracle/oracle.js";
import { cases, type Case } from "./cases.js";
import { hashOf, resultsOf } from "./run.js";
import type { DType } from "../../base/types.js";

/** hashOf the oracle's results, case by case: test/backends/self-check.test.ts compares, and prints them anew. */
export const HASHES: Readonly<Record<DType, readonly number[]>> = {
  float32: [
    0xc497b4a4, 0x3de7ed9, 0x9a98cb06, 0x2d6863ff, 0x490711ce, 0x19a510e2, 0xae4687ca, 0x66714ba8, 0x4fb1427a,
    0xaf8aeb76, 0xb5b64e09, 0x4b88f9f9, 0xa4804ba9, 0x4ac3d6b8, 0x7110c76e, 0xb3640a00, 0x3a67e29d, 0xf40ae442,
    0x10d2861, 0x75f44335,
  ],
  float64: [
    0x3a145782, 0x7a34e9fd, 0x37b8b931, 0x136d5c01, 0x679ea4b6, 0x3c6957d7, 0xa49cc63b, 0x5a69f94e, 0x57a67476,
    0xeb370183, 0x427ffa4a, 0x9d0f3efd, 0xb508cd53, 0xb8197a4c, 0xa09fabcf, 0x1cdbecba, 0xd922bb6e, 0xb9349fcc,
    0x7749bcdd, 0xf33d31de,
  ],
  float16: [
    0xc990b63d, 0xf7c5eb5b, 0xc8f4af1b, 0x3c18d9f2, 0x54a73f93, 0xd366248b, 0x87db8324, 0xb785ee65, 0x3e84f001,
    0xb4b0fbb6, 0x48beff9e, 0xedb13d25, 0x88decfbb, 0x3a3b68c2, 0xbafff6b, 0xbbed1f63, 0xc524e3fe, 0xf0ca3289,
    0xccbd8399, 0x5d2b0937,
  ],
  bfloat16: [
    0x19a0cf55, 0x44fe580, 0x95cd5f50, 0x40fc582f, 0x945c7028, 0x5d125571, 0x7ad8aeb0, 0x78a6391d, 0xf13893a2,
    0xed51ebcc, 0xb333c93, 0xcc12afd, 0x70b7b785, 0x923a5dd0, 0xc6c6fed3, 0xd3567bf4, 0x15a9f051, 0x99ba159d,
    0x604d3fb4, 0x8eef907f,
  ],
};

/** And of the cases with weights. */
export const WEIGHTED_HASHES: Readonly<Record<DType, readonly number[]>> = {
  float32: [
    0x745e871d, 0xaabd14db, 0x8499429f, 0xdc53e3c3, 0x4bbf6e80, 0x42141e9d, 0xe3512781, 0x1f9e63bb, 0x5b212b7f,
    0x19d2bd5b, 0xebd3ced0, 0x18b39a55,
  ],
  float64: [
    0x24f27ec2, 0x6fb7188, 0xdca23c4e, 0x64d3da81, 0xaef91686, 0xf095fd81, 0xd51a169c, 0x542d6a46, 0x6d23e9e0,
    0xbb4edc79, 0x3be768c1, 0x2b7465b9,
  ],
  float16: [
    0x16954f31, 0x2b35569, 0x98650b83, 0xfb026d6b, 0x136bf87d, 0x1e7f887c, 0x6760247, 0x6957afd0, 0x7f63c2ef, 0xa36f8b,
    0x78209071, 0x7945e9cd,
  ],
  bfloat16: [
    0x1f13957c, 0xcba7f85, 0xb1f66022, 0x3df888c7, 0x86b203c2, 0xa5b5e10e, 0x7c66b47b, 0xcbe59361, 0x47b8f9c0,
    0xd36ddaa6, 0xae4819f8, 0xcb70b25,
  ],
};

/** The first element that differs; NaN equals NaN whatever its payload. */
function difference(kernels: Kernels, test: Case): string | null {
  const got = resultsOf(kernels, test);
  for (const [i, [name, values]] of resultsOf(oracle, test).entries()) {
    const other = got[i]![1];
    const { outer, channels, inner } = test.extent;
    const at = values.findIndex((value, j) => !Object.is(value, other[j]));
    if (at < 0) continue;
    const where = `${test.dtype}, ${outer}×${channels}×${inner}${test.w ? " with weights" : ""}`;
    return `${name}[${at}] expected ${values[at]}, got ${other[at]} (${where})`;
  }
  return null;
}

/**
 * The first difference from the oracle as `kernel: name[element] expected …, got … (case)`, or null. One element type
 * at a time, without weights or with them, because most processes use one and none.
 */
export function selfCheck(kernels: Kernels, dtype: DType, isWeighted: boolean): string | null {
  const hashes = (isWeighted ? WEIGHTED_HASHES : HASHES)[dtype];
  let i = 0;
  for (const test of cases(dtype, isWeighted)) {
    if (hashOf(kernels, test) === hashes[i++]) continue;
    const found = difference(kernels, test);
    if (found) return found;
  }
  return null;
}
