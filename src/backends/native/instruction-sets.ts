// The native instruction sets. The loader uses them, and so does code that names backends without the loader.

/** All instruction sets, best first. */
export const INSTRUCTION_SETS = ["avx512", "avx2", "sse2", "neon"] as const;
/**
 * An instruction set for which native kernels are compiled: AVX-512, AVX2 or SSE2 on x86-64, NEON on arm64.
 */
export type InstructionSet = (typeof INSTRUCTION_SETS)[number];
