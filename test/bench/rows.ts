// Rows made up for the tests of what is drawn.
import { rowOf, type Row, type RowId } from "../../bench/report/rows.js";

const ID: RowId = {
  op: "forward",
  shape: "A",
  layout: "channels-first",
  dtype: "float32",
  variant: "plain",
  backend: "native/avx2",
  threads: 1,
  memory: "ordinary",
  data: "gaussian",
  out: "given",
};

/** A row of a case that took so long, where the copy took `copyMs`. */
export function madeRow(changed: Partial<RowId>, milliseconds: number, copyMs = 1): Row {
  return rowOf({ ...ID, ...changed }, [milliseconds], 4096, [copyMs]);
}

export const ENVIRONMENT = {
  node: "v20.0.0",
  platform: "linux-x64",
  cpu: "a CPU",
  cores: 2,
  contractVersion: 1,
  backend: "native/avx2",
};
