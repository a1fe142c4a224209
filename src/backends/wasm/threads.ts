// Whether WASM has several threads here, and the team of workers that it has then.
import { messageOf } from "../../base/errors.js";
import { packagedBytes } from "./packaged-module.js";
import { sharedBytes } from "./shared-module.js";
import { Team } from "./team.js";
import { canSendShared } from "./workers.js";

let compiled: WebAssembly.Module | null = null;
let team: Team | null = null;
/** Why there are no threads; null where there may be some. */
let refusal: string | null = null;

/** What can be seen before anything is tried. */
function absent(): string | null {
  if (!packagedBytes) return "this build has the module compiled, for memory that threads do not share";
  if (canSendShared()) return null;
  return "there is no SharedArrayBuffer; a page has it if it is cross-origin isolated (headers COOP and COEP)";
}

/** @throws Error whose message is the reason why the module cannot be used with a shared memory. */
export function moduleForThreads(): WebAssembly.Module {
  if (compiled) return compiled;
  const reason = absent();
  if (reason !== null) throw new Error(reason);
  return (compiled = new WebAssembly.Module(sharedBytes(packagedBytes!())));
}

/** From now on there are no threads. */
export function refuseThreads(reason: string): void {
  endTeam();
  refusal = reason;
}

/** Whether memory can be shared by threads. */
export function canShare(): boolean {
  return currentTeam() !== null;
}

/** The team, whose workers may not have begun yet; null where there can be none. */
export function currentTeam(): Team | null {
  if (team) return team;
  if (refusal !== null) return null;
  try {
    return (team = new Team(moduleForThreads()));
  } catch (error) {
    refusal = messageOf(error);
    return null;
  }
}

/** Why WASM runs on one thread here; null where it may use several. */
export function whyOneThread(): string | null {
  return refusal ?? team?.refusal ?? absent();
}

/** Ends the workers. Later calls begin new ones. */
export function endTeam(): void {
  team?.end();
  team = null;
}
