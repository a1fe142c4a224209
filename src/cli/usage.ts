// Commands, options and exit codes.

export const ExitCode = { good: 0, wrong: 1, usage: 2 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export class UsageError extends Error {}

/** Ours, and those of parseArgs. */
export function isUsageError(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return error instanceof UsageError || (typeof code === "string" && code.startsWith("ERR_PARSE_ARGS_"));
}

export const HELP = `Usage: npx batchnorm <command> [options]

  doctor             what runs here and why: backends, threads, the native binary
    --verify         also compares every backend's results with the committed hashes, in about a minute
    --json           one JSON object
  bench              medians of forward, inference and backward, as ratios to copying the tensor
    --seconds <n>    how long to measure (30)
    --json           one JSON object

  -h, --help         this text
  -v, --version      the package's version

Exit codes: 0 all is well; 1 something is wrong (a backend is rejected, a checksum or a digest differs, the
binary is damaged, BATCHNORM_BACKEND or BATCHNORM_THREADS cannot be used); 2 unknown command or option.
`;
