// Commands, options and exit codes.

export const ExitCode = { good: 0, wrong: 1, usage: 2 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export const HELP = `Usage: npx batchnorm <command> [options]

  doctor             what runs here, how fast and why: backends, threads, the native binary
    --verify         also compares every backend's results with the committed hashes, in about a minute
    --json           one JSON object
  bench              medians of forward, inference and backward, as ratios to copying the tensor
    --seconds <n>    how long to measure (30)
    --json           one JSON object
  build-mpi          compiles the addon of batchnorm/mpi against the MPI that is installed
    --out <folder>   where to put it (build/mpi in the package); BATCHNORM_MPI=<folder> finds it there
    --mpicxx <cmd>   the compiler (MPICXX, or else mpicxx or mpic++)
    --include <dir>  the folder of node_api.h

  -h, --help         this text
  -v, --version      the package's version

Exit codes: 0 all is well; 1 something is wrong (a backend is rejected, a checksum or a digest differs, the binary
is damaged or cannot be read, nothing but plain JavaScript can run, BATCHNORM_BACKEND or BATCHNORM_THREADS cannot be
used, the output cannot be written, or something is missing for build-mpi); 2 unknown command or option, or a value that it does not take.
`;
