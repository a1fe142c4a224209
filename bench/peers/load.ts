// All that are compared: ours, and those of the command line that load here.
import { reasonOf } from "./first-call.js";
import { loadOnnxNode, loadOnnxWeb } from "./onnxruntime.js";
import { loadOneDnn } from "./onednn.js";
import type { PeerName } from "./options.js";
import { loadNative, loadOracle, loadWasm } from "./ours.js";
import type { Peer } from "./peer.js";
import { loadPlain } from "./plain-peer.js";
import { loadTfjsCpu, loadTfjsWasm } from "./tfjs.js";
import { loadTorch } from "./pytorch.js";

const LOADERS: Readonly<Record<PeerName, () => Peer[] | Promise<Peer[]>>> = {
  "plain-js": loadPlain,
  "tfjs-cpu": loadTfjsCpu,
  "tfjs-wasm": loadTfjsWasm,
  "onnxruntime-node": loadOnnxNode,
  "onnxruntime-web": loadOnnxWeb,
  pytorch: loadTorch,
  onednn: loadOneDnn,
};

export interface Missing {
  readonly peer: string;
  readonly reason: string;
}

/** Ours and those named; one that does not load is told with its reason. */
export async function loadPeers(names: readonly PeerName[]): Promise<{ peers: Peer[]; missing: Missing[] }> {
  const ours = { native: loadNative, wasm: loadWasm, oracle: loadOracle };
  const loaders = [...Object.entries(ours), ...names.map((name) => [name, LOADERS[name]] as const)];
  const peers: Peer[] = [];
  const missing: Missing[] = [];
  for (const [peer, load] of loaders) {
    try {
      peers.push(...(await load()));
    } catch (error) {
      missing.push({ peer, reason: reasonOf(error) });
    }
  }
  return { peers, missing };
}
