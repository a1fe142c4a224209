// Hosts on one machine: network namespaces, each with a name, an address and a link to a switch, as root makes them.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "./environment.js";
import { succeed } from "./programs.js";

/** A network of its own range, so that it is none of the machine's. */
const NETWORK = "10.93.7";

export interface Network {
  /** A network for Open MPI's options, such as "10.93.7.0/24". */
  readonly range: string;
  readonly hosts: readonly string[];
  /** A launcher for Open MPI in place of ssh: agent HOST COMMAND… */
  readonly agent: string;
  /** A command as it runs on a host, with its host name. */
  readonly on: (host: string, command: string) => readonly [string, readonly string[]];
  readonly setLink: (host: string, state: "up" | "down") => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** What `ip netns exec` puts in the place of /etc/hosts, for each namespace. */
const etcOf = (namespace: string): string => join("/etc/netns", namespace);

let networks = 0;

/** Namespaces joined by a bridge in one more namespace, each by a pair of virtual links. */
export async function createNetwork(context: Context, count: number, folder: string): Promise<Network> {
  const prefix = `bn${process.pid}n${networks++}`;
  const bridge = `${prefix}s`;
  const hosts = Array.from({ length: count }, (_, i) => `${prefix}h${i + 1}`);
  const ip = (...args: string[]): Promise<unknown> => succeed(context, "ip", args);
  const remove = async (): Promise<void> => {
    for (const name of [...hosts, bridge]) {
      await context.run("ip", ["netns", "delete", name]);
      rmSync(etcOf(name), { recursive: true, force: true });
    }
  };
  const names = hosts.map((host, i) => `${NETWORK}.${i + 1} ${host}\n`).join("");
  const agent = join(folder, "agent.sh");
  // Names that this file makes need no quotes.
  const script = `#!/bin/sh\nhost=$1\nshift\nexec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"\n`;
  writeFileSync(agent, script, { mode: 0o755 });
  try {
    await ip("netns", "add", bridge);
    await ip("-n", bridge, "link", "add", "br0", "type", "bridge");
    await ip("-n", bridge, "link", "set", "br0", "up");
    for (const [i, host] of hosts.entries()) {
      await ip("netns", "add", host);
      mkdirSync(etcOf(host), { recursive: true });
      writeFileSync(join(etcOf(host), "hosts"), `127.0.0.1 localhost\n${names}`);
      const port = `p${i + 1}`;
      await ip("link", "add", "eth0", "netns", host, "type", "veth", "peer", "name", port, "netns", bridge);
      await ip("-n", bridge, "link", "set", port, "master", "br0", "up");
      await ip("-n", host, "address", "add", `${NETWORK}.${i + 1}/24`, "dev", "eth0");
      await ip("-n", host, "link", "set", "eth0", "up");
      await ip("-n", host, "link", "set", "lo", "up");
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    range: `${NETWORK}.0/24`,
    hosts,
    agent,
    on: (host, command) => [
      "ip",
      ["netns", "exec", host, "unshare", "--uts", "sh", "-c", `hostname ${host}; ${command}`],
    ],
    setLink: async (host, state) => void (await ip("-n", host, "link", "set", "eth0", state)),
    remove,
  };
}

/** Why this machine allows no virtual network, or null: it makes one, and runs a command on it. */
export async function forbiddenNetwork(context: Context): Promise<string | null> {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  try {
    const network = await createNetwork(context, 2, context.emptyFolder());
    try {
      const [command, args] = network.on(network.hosts[0]!, `test "$(hostname)" = ${network.hosts[0]}`);
      await succeed(context, command, args);
    } finally {
      await network.remove();
    }
    return null;
  } catch (error) {
    return `no virtual network is allowed here: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;
  }
}
