// SHA-256 of a network's parameters: equal exactly where every bit is.
import { createHash } from "node:crypto";
import type { Network } from "./network/network.js";

export function hash(network: Pick<Network, "parameters">): string {
  const sum = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of network.parameters()) {
    sum.update(new Uint8Array(buffer, byteOffset, byteLength));
  }
  return sum.digest("hex");
}
