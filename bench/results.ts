// What a run found, beside its rows: where it ran.
import { availableParallelism, cpus } from "node:os";
import { backends, contractVersion } from "batchnorm";

export interface Environment {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly contractVersion: number;
  readonly backend: string;
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
