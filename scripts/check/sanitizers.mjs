// The sanitizers that scripts/check/sanitize.mjs runs: how each is built and loaded, what runs under it, and the faults that
// are planted for it to find. Another one is another entry.

/**
 * @typedef {object} Fault Planted with its sanitizer's others; met by one program, in a set that meets no other. Its file
 * is part of few others: those are compiled again.
 * @property {string} name
 * @property {string} file Under native/.
 * @property {string} from What stands in it exactly once.
 * @property {string} to
 * @property {string} program
 * @property {string} set
 * @property {RegExp} report What the sanitizer must say.
 */

/**
 * @typedef {object} Sanitizer
 * @property {string} name
 * @property {string} compile
 * @property {string} link
 * @property {readonly string[]} libraries Node is not instrumented: they are loaded before it.
 * @property {Readonly<Record<string, string>>} env
 * @property {readonly string[]} programs Of test/plain/, each run on all instruction sets.
 * @property {readonly Fault[]} faults
 */

// Of a conversion from float64 to a size, "undefined" says nothing. Sanitizers watch memcpy and its like, and not what
// _FORTIFY_SOURCE calls in their place.
const ADDRESS = "-fsanitize=address,undefined,float-cast-overflow -U_FORTIFY_SOURCE";

const THREAD = "-fsanitize=thread -U_FORTIFY_SOURCE";

/** @type {readonly Sanitizer[]} */
export const SANITIZERS = [
  {
    name: "ASAN+UBSAN",
    // AddressSanitizer finds what "null" and "object-size" would; without them and with line tables alone (-g1) the
    // build takes half the time.
    // Checks as calls take half of that again.
    compile: `${ADDRESS} -fno-sanitize=null,object-size -fno-sanitize-recover=all -g1 -O1 --param asan-instrumentation-with-call-threshold=0`,
    link: ADDRESS,
    libraries: ["libasan.so", "libubsan.so"],
    // Leaks are not looked for: Node frees little at its exit.
    env: { ASAN_OPTIONS: "detect_leaks=0" },
    programs: ["digest", "bad-calls", "every-shape", "later"],
    faults: [
      {
        name: "a tail read one too far",
        file: "vec/sse2.h",
        from: "if (n == 1) return {_mm_load_ss(p)};",
        to: "if (n == 1) return {_mm_loadu_ps(p)};",
        program: "digest",
        set: "native/sse2",
        report: /AddressSanitizer: heap-buffer-overflow[^]*sse2\.h/,
      },
      {
        name: "a number too large for a size",
        file: "check_control.cc",
        from: "value >= 0 && value <= 0x1p53",
        to: "value >= 0",
        program: "bad-calls",
        set: "native/avx2",
        report: /check_control\.cc:\d+:\d+: runtime error: .* is outside the range of representable values/,
      },
      {
        name: "a traversal that is not the shape's",
        file: "check_control.cc",
        from: "if (h->traversal != traversal) {",
        to: "if (h->traversal != traversal && h->traversal != Traversal::rows) {",
        program: "every-shape",
        set: "native/avx2",
        report: /AddressSanitizer: stack-buffer-overflow[^]*rows\/moments\.inc/,
      },
    ],
  },
  {
    name: "TSAN",
    compile: `${THREAD} -g1 -O1`,
    link: THREAD,
    libraries: ["libtsan.so"],
    env: { TSAN_OPTIONS: "ignore_noninstrumented_modules=1:exitcode=66" },
    programs: ["threads", "later"],
    faults: [
      {
        name: "a worker's end that publishes nothing",
        file: "pool.cc",
        from: "done_ += static_cast<unsigned>(chunks.claimed());",
        to: "done_.fetch_add(static_cast<unsigned>(chunks.claimed()), std::memory_order_relaxed);",
        program: "threads",
        set: "native/sse2",
        report: /WARNING: ThreadSanitizer: data race[^]*pool\.cc/,
      },
    ],
  },
];
