// What a run found, as --json writes it and --from and --compare read it.
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { backends, contractVersion } from "batchnorm";
import type { FixedCosts } from "../measure/fixed.js";
import type { Row } from "./rows.js";

export interface Environment {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly contractVersion: number;
  readonly backend: string;
}

export interface Results {
  readonly environment: Environment;
  readonly fixed: FixedCosts | null;
  readonly rows: readonly Row[];
}

export function here(): Environment {
  return {
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    contractVersion,
    backend: backends().find(({ status }) => status === "in use")?.name ?? "none",
  };
}

export function describe({ cpu, cores, node, backend }: Environment): string {
  return `${cpu}, ${cores} cores, Node ${node.replace("v", "")}, ${backend}`;
}

type Later = "memory" | "variant";

function isRow(value: unknown): value is Omit<Row, Later> & Partial<Pick<Row, Later>> {
  const row = value as Partial<Row> | null;
  return typeof row === "object" && typeof row?.op === "string" && typeof row.copyRatio === "number";
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
}

/** What a file holds that --json wrote; earlier ones named no memory and no variant, and had other fixed costs. @throws Error that names it. */
export function readResults(file: string): Results {
  const fail = (reason: string): Error => new Error(`${file} holds no benchmark: ${reason}`);
  let content: Partial<Record<keyof Results, unknown>> | null;
  try {
    content = JSON.parse(readFileSync(file, "utf8")) as typeof content;
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
  const rows = content?.rows;
  if (!Array.isArray(rows) || !rows.every(isRow)) throw fail("no rows");
  const { environment, fixed: costs } = content as Results;
  const fixed = costs && "wasmFirstResultMs" in costs ? costs : null;
  return {
    environment,
    fixed,
    rows: rows.map((row): Row => ({ ...row, memory: row.memory ?? "ordinary", variant: row.variant ?? "plain" })),
  };
}
