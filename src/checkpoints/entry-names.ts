// The names of a layer's entries in files. They are torch's; formats with other names have the tables in the same order.
export const STATISTICS: readonly string[] = ["running_mean", "running_var"];
export const TABLES: readonly string[] = ["weight", "bias", ...STATISTICS];
export const COUNTERS: readonly string[] = ["num_batches_tracked", "num_batches_skipped", "contract_version"];
