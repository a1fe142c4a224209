// Faults planted in the native kernels, and which check finds each: the loader's self-check, or only the kernel suite.
import { beforeAll, describe, expect, test } from "vitest";
import type { Kernels } from "../../src/kernels/kernels.js";
import { hasNative, isAvailable } from "../support/backends.js";
import { NATIVE_HASHES } from "../../src/backends/self-check/native-hashes.js";
import { referenceOf, type Reference } from "../../src/verify/case-reference.js";
import { cases, sizeOf, type Case } from "../../src/verify/cases.js";
import { runCase } from "../support/kernel-runner.js";
import { faultOf, meansOf } from "../support/fault.js";
import { buildFaulty, buildFloatMode, type Fault } from "../support/faulty-addon.js";
import { kernelsOf, type AddonKernels, type InstructionSets } from "../support/addon-kernels.js";
import { runTally } from "../support/run-tally.js";
import { sample } from "../support/sample.js";
import { underFloatMode } from "../support/float-mode.js";

/** Kernels without a fault have both types, and those of random calls. One type shows what a fault does: a template has it in each. */
const FLOATS = ["float32", "float64"] as const;
const ONE = ["float32"] as const;

interface Planted extends Fault {
  /** Whether the check at loading must find it. */
  readonly atLoading: boolean;
  /** What the kernel suite needs to find it: cases without such are not run. */
  readonly needs?: (one: Case) => boolean;
}

const columnsOf = ({ extent }: Case): number => extent.channels * extent.inner;
const avx2 = { vectors: "avx2", target: "avx2" } as const;

const FAULTS: readonly Planted[] = [
  { name: "fma_contraction", file: null, from: "", to: "", vectors: "avx2", target: "avx2,fma", atLoading: true },
  {
    name: "lanes_swapped",
    file: "kernels/common/blocks.inc",
    from: "t[j] = lane[j * stride];",
    to: "t[j < 2 ? 1 - j : j] = lane[j * stride];",
    atLoading: true,
  },
  {
    name: "lanes_added_in_another_order",
    file: "kernels/common/blocks.inc",
    from: "for (size_t j = 0; j < width; j++) t[j] += t[j + width];",
    to: "for (size_t j = 0; j < width; j++) t[j] = t[2 * j] + t[2 * j + 1];",
    atLoading: true,
  },
  {
    name: "tail_one_short",
    file: "kernels/common/block_moments.inc",
    from: "add(tail, fill(k, tail))",
    to: "add(tail - 1, fill(k, tail))",
    atLoading: true,
  },
  {
    name: "last_line_left_out",
    file: "kernels/elements/lines.inc",
    from: "if (p == end) return;",
    to: "return;",
    atLoading: true,
  },
  {
    name: "tail_stores_one_past",
    file: "kernels/elements/lines.inc",
    from: "if (n != lanes) return store_partial(p, n, v);",
    to: "if (n != lanes) return store_partial(p, n + 1, v);",
    dtypes: FLOATS,
    atLoading: true,
  },
  {
    name: "second_pass_left_out",
    file: "kernels/common/block_moments.inc",
    from: "if (attempt == 2 || !first",
    to: "if (attempt >= 1 || !first",
    atLoading: true,
  },
  {
    name: "escape_from_the_second_shift",
    file: "kernels/common/block_moments.inc",
    from: "block_moments<weighted>(input, block, weight, first, k, wide_sums, true)",
    to: "block_moments<weighted>(input, block, weight, first, shift, block_sums<weighted>(input, block, shift, true), true)",
    atLoading: false,
    needs: ({ kind }) => kind === "brink",
  },
  {
    name: "groups_of_64_blocks",
    file: "kernels/planes/reduce.inc",
    from: "if (block % group_size == 0) close();",
    to: "if (block % (2 * group_size) == 0) close();",
    atLoading: true,
  },
  {
    name: "rows_miscounted_in_their_group",
    file: "kernels/rows/moments.inc",
    from: "*group.count += static_cast<double>(rows);",
    to: "*group.count += static_cast<double>(rows + 1);",
    atLoading: true,
  },
  {
    name: "second_panel_over_the_first",
    file: "kernels/rows/reduce.inc",
    from: ".from(panel.column));",
    to: ");",
    atLoading: true,
    needs: (one) => columnsOf(one) > 1024 && one.extent.inner < 16,
  },
  {
    name: "rows_begin_at_the_first_column",
    file: "kernels/elements/weights.inc",
    from: "j = j >= width ? j - width : j;",
    to: "j = j >= width ? 0 : j;",
    atLoading: true,
  },
  {
    name: "shift_of_the_first_value",
    file: "kernels/common/shift.inc",
    from: "return is_finite(shift) ? shift : widened(x[0]);",
    to: "return is_finite(shift) ? widened(x[0]) : shift;",
    atLoading: true,
  },
  {
    name: "weights_left_out_of_squares",
    file: "kernels/common/block_moments.inc",
    from: "q = q + v * d;",
    to: "q = q + d * d;",
    atLoading: true,
  },
  {
    name: "values_without_weight_looked_at",
    file: "kernels/common/block_moments.inc",
    from: "const V d = weighted ? where_weighted(x - shift, w) : x - shift;",
    to: "const V d = x - shift;",
    atLoading: true,
    needs: ({ kind }) => kind === "nan" || kind === "infinite",
  },
  {
    name: "shift_of_a_group_without_weight",
    file: "kernels/planes/moments.inc",
    from: "tile_shifts<weighted>(h, input, tile, block, group, k);",
    to: `tile_shifts<weighted>(h, input, tile, block, group, k);
  for (size_t c = 0; c < tile.channels() && index % group_size != 0; c++) k[c] = static_cast<T>(group[c].mean);`,
    atLoading: false,
    needs: ({ extent }) => extent.inner >= 16 && extent.outer * extent.inner > 2 * 2048,
  },
  {
    name: "lanes_of_a_vector_added_in_another_order",
    file: "vec/avx2.h",
    from: "_mm256_add_pd(lo, hi)",
    to: "_mm256_hadd_pd(lo, hi)",
    ...avx2,
    atLoading: true,
    needs: ({ dtype, extent }) => dtype === "float32" && extent.inner >= 16,
  },
  {
    name: "relu_of_nan_is_zero",
    file: "vec/avx2.h",
    from: "_mm256_max_ps(_mm256_setzero_ps(), v)",
    to: "_mm256_max_ps(v, _mm256_setzero_ps())",
    ...avx2,
    atLoading: true,
    needs: ({ kind, activation, dtype }) =>
      activation && dtype === "float32" && (kind === "nan" || kind === "negativeZero"),
  },
];
/** Nothing changed: what the checks must not complain of. */
const HEALTHY: readonly Fault[] = [
  { name: "healthy", file: null, from: "", to: "", dtypes: FLOATS },
  { name: "healthy_avx2", file: null, from: "", to: "", dtypes: FLOATS, ...avx2 },
];

/** Smallest first: the first failing case ends the search. Larger ones cost the oracle more than they tell. */
const SEARCHED = cases
  .filter(({ extent }) => sizeOf(extent) <= 2 ** 18)
  .sort((a, b) => sizeOf(a.extent) - sizeOf(b.extent));

const references = new Map<Case, Reference>();
function reference(one: Case): Reference {
  const known = references.get(one) ?? referenceOf(one);
  references.set(one, known);
  return known;
}

/** The kernel suite's first complaint. */
function firstFault(kernels: Kernels, searched: readonly Case[]): string | undefined {
  for (const one of searched) {
    const [fault] = runCase(kernels, reference(one)).faults;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

describe.skipIf(!hasNative)("planted in a build of its own", () => {
  const builds = ({ target }: Fault): boolean => target === undefined || isAvailable("native/avx2");
  const planted: readonly Fault[] = [
    ...sample("builds without a fault", HEALTHY.filter(builds), 1),
    ...sample("planted faults", FAULTS.filter(builds), 3, ({ atLoading }) => [String(atLoading)]),
  ];
  let path: string;
  let sets: InstructionSets;
  beforeAll(() => {
    const unguarded = { file: "addon.cc", from: "    const bn::DefaultFloatMode mode;", to: "" };
    ({ path, sets } = buildFaulty(planted, unguarded));
  });
  const setOf = (name: string): AddonKernels => {
    const set = sets[name]!;
    if ("unavailable" in set) throw new Error(set.unavailable);
    return set;
  };
  const kernels = (name: string): Kernels => kernelsOf(setOf(name));
  const faultAtLoading = ({ name, dtypes = ONE }: Fault): string | null =>
    faultOf(kernels(name), dtypes, meansOf(setOf(name)));
  const included = (fault: Fault): boolean => planted.includes(fault);

  describe.each(HEALTHY.filter(included))("$name", (healthy) => {
    const { name } = healthy;
    test("passes the self-check and the kernel suite", () => {
      expect(faultAtLoading(healthy)).toBeNull();
      expect(firstFault(kernels(name), SEARCHED.slice(0, 100))).toBeUndefined();
    });

    test("computes other bits where denormals are flushed: the addon's own float mode is left out here", () => {
      const mode = buildFloatMode();
      const denormal = SEARCHED.filter(({ kind }) => kind === "denormal").slice(0, 10);
      const { kernels: flushed } = underFloatMode(kernels(name), mode, mode.flushing);
      expect(firstFault(flushed, denormal)).toBeDefined();
    });
  });

  describe.each(FAULTS.filter(included))("$name", (own) => {
    const { name, atLoading, needs, dtypes = ONE } = own;
    // A store past the end is found by its guards inside the addon. It would spoil the heap where the difference is sought.
    test(atLoading ? "is found by the self-check at loading" : "is out of the self-check's reach", () => {
      if (name === "tail_stores_one_past") {
        expect(setOf(name).hashes(0, false)).not.toEqual(NATIVE_HASHES.float32.plain);
        return;
      }
      const fault = faultAtLoading(own);
      if (atLoading)
        expect(fault).toMatch(/^\w+: \w+\[\d+\] expected \S+, got \S+ \(float\d\d, \d+×\d+×\d+( with weights)?\)$/);
      else expect(fault).toBeNull();
    });

    test("is found by the kernel suite", () => {
      const searched = SEARCHED.filter((one) => dtypes.some((dtype) => dtype === one.dtype) && (needs?.(one) ?? true));
      const fault = firstFault(kernels(name), searched);
      expect(fault).toMatch(name === "tail_stores_one_past" ? /wrote beyond|expected/ : /: \w+\[\d+\] expected/);
      console.log(`${name}: ${atLoading ? "self-check and suite" : "suite"}: ${fault}`);
    });
  });

  const isBuilt = planted.some(({ name }) => name === "tail_stores_one_past");
  test.skipIf(!isBuilt)("tail_stores_one_past is found by random calls too: their arrays lie among others", () => {
    const { tally, stderr } = runTally("hostile-calls.ts", path, 300, 1, "tail_stores_one_past");
    expect(tally["escapes"]).toBeGreaterThan(0);
    expect(stderr).toMatch(/^run \d+: tail_stores_one_past \w+ of \[.*\] wrote outside of its arrays$/m);
  });
});
