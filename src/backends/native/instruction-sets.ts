// The native instruction sets, for the loader and for what names backends where there is no loader.

/** Every instruction set there is, best first. */
export const INSTRUCTION_SETS = ["avx512", "avx2", "sse2", "neon", "scalar"] as const;
/** An instruction set that native kernels are compiled for. */
export type InstructionSet = (typeof INSTRUCTION_SETS)[number];
