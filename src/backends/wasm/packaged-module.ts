// The module that the package carries inside, as base64.
import { messageOf } from "../../base/errors.js";
import { wasmBase64 } from "./wasm-binary.js";

/** Node's own decoder where there is one: a loop that has not been compiled yet takes 2.5 ms for the module. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer> } };
  if (Buffer) return Buffer.from(text, "base64");
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Makes its bytes. It is null where only what is compiled can be had. */
export const packagedBytes: (() => Uint8Array<ArrayBuffer>) | null = () => decodeBase64(wasmBase64());

/** Compiles it; the message of what it throws is the reason why there is no WASM here. */
export function packagedModule(): WebAssembly.Module {
  if (typeof WebAssembly === "undefined") throw new Error("this JavaScript engine has no WebAssembly");
  try {
    return new WebAssembly.Module(decodeBase64(wasmBase64()));
  } catch (error) {
    const message = messageOf(error);
    const forbidden = /content.?security|unsafe-eval|disallowed|blocked/i.test(message);
    const reason = forbidden
      ? "compiling WebAssembly is forbidden here"
      : "WebAssembly does not compile (128-bit SIMD is needed)";
    throw new Error(`${reason}: ${message}`, { cause: error });
  }
}
