// Where things are: the digits' file, the languages, and the layer and the unit that are looked at.
import type { Focus } from "../lab/conductor.js";
import type { Address } from "../lab/settings.js";
import type { Language } from "./dom.js";

const UNITS = 100;

export async function loadDigits(): Promise<Uint8Array> {
  const { ok, status, body } = await fetch("digits.bin");
  if (!ok || !body) throw new Error(`digits.bin: ${status}`);
  // The build compresses it, not the server, so that it has one size everywhere.
  return new Uint8Array(await new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

export function languageOf(given: string = navigator.language): Language {
  return given.startsWith("ko") ? "ko" : "en";
}

/** Layers and units count from 1 on the page and in the address. Without a layer it is the last, as in the paper. */
export function focusOf(layer: string | undefined, unit: string | undefined, depth: number): Focus {
  const within = (value: string | undefined, last: number, otherwise: number): number => {
    const number = Math.round(Number(value));
    return number >= 1 ? Math.min(number, last) : otherwise;
  };
  return { layer: within(layer, depth, depth) - 1, unit: within(unit, UNITS, 1) - 1 };
}

/** What the address says beside the settings, without what is the default. */
export function othersOf(language: Language, { layer, unit }: Focus, depth: number): Address["others"] {
  return {
    lang: language,
    ...(layer !== depth - 1 && { layer: String(layer + 1) }),
    ...(unit !== 0 && { unit: String(unit + 1) }),
  };
}

export async function hashOf(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
