// What a visitor can set, its limits, and how it stands in the address.
import { ACTIVATIONS, type ActivationName } from "../../examples/digits/network/activations.js";

export interface Settings {
  /** Learning rate of stochastic gradient descent. */
  readonly rate: number;
  /** Standard deviation of all initial weights; 0 stands for 1/√inputs of each layer. */
  readonly sigma: number;
  readonly batch: number;
  /** Weight of the newest batch in the running statistics. */
  readonly momentum: number;
  /** Hidden layers. */
  readonly depth: number;
  /** Training digits that are used. */
  readonly digits: number;
  readonly seed: number;
  readonly activation: ActivationName;
}

export const DEFAULTS: Settings = {
  rate: 0.5,
  sigma: 0,
  batch: 60,
  momentum: 0.1,
  depth: 3,
  digits: 4000,
  seed: 1,
  activation: "sigmoid",
};

/** The values of each slider, in its order. A rate may be in the address without being here. */
export const STOPS = {
  rate: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20],
  sigma: [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
  batch: [2, 3, 4, 8, 16, 32, 60, 128, 256, 512, 1024],
  momentum: [0, 0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 1],
  depth: [1, 2, 3, 4, 5, 6, 8],
  digits: [100, 200, 500, 1000, 2000, 4000],
} as const;

export type Slider = keyof typeof STOPS;

const LIMITS: Readonly<Record<Slider | "seed", { min: number; max: number; whole: boolean }>> = {
  rate: { min: 1e-6, max: 100, whole: false },
  sigma: { min: 0, max: 100, whole: false },
  batch: { min: 2, max: 1024, whole: true },
  momentum: { min: 0, max: 1, whole: false },
  depth: { min: 1, max: 8, whole: true },
  digits: { min: 20, max: 4000, whole: true },
  seed: { min: 0, max: 2 ** 32 - 1, whole: true },
};

/** A new network is needed where one of these changes; all others change a training that goes on. */
const OF_A_NETWORK = ["sigma", "depth", "digits", "seed", "activation"] as const;

export function needsNewNetwork(before: Settings, after: Settings): boolean {
  return OF_A_NETWORK.some((name) => before[name] !== after[name]);
}

/** The mini-batch that can be drawn: never more than there are digits. */
export function batchSize({ batch, digits }: Settings): number {
  return Math.min(batch, digits);
}

export interface Address {
  readonly settings: Settings;
  /** The step at which the training pauses, or null: it goes on. */
  readonly at: number | null;
  /** Language, layer and unit, which the view reads itself. */
  readonly others: Readonly<Record<string, string>>;
  /** What could not be understood, as "name=value". */
  readonly rejected: readonly string[];
}

type Given = { -readonly [Name in keyof Settings]?: Settings[Name] };

/** Puts the value that `text` stands for into `given`, or says that it stands for none. */
function readSetting(given: Given, name: string, text: string): boolean {
  if (name === "activation") {
    const found = ACTIVATIONS.find((activation) => activation === text);
    if (found) given.activation = found;
    return found !== undefined;
  }
  if (!isNumber(name)) return false;
  const { min, max, whole } = LIMITS[name];
  const value = text.trim() === "" ? NaN : Number(text);
  const isGood = value >= min && value <= max && (!whole || Number.isInteger(value));
  if (isGood) given[name] = value;
  return isGood;
}

function isNumber(name: string): name is keyof typeof LIMITS {
  return Object.hasOwn(LIMITS, name);
}

/** The seed that a visitor typed, or null where it is none. */
export function readSeed(text: string): number | null {
  const given: Given = {};
  return readSetting(given, "seed", text) ? (given.seed ?? null) : null;
}

/** Reads "#rate=3&activation=relu"; whatever is missing or wrong has its default. */
export function readAddress(hash: string): Address {
  const given: Given = {};
  const others: Record<string, string> = {};
  const rejected: string[] = [];
  let at: number | null = null;
  new URLSearchParams(hash.replace(/^#/, "")).forEach((text, name) => {
    if (name === "at" && /^\d{1,5}$/.test(text)) at = Number(text);
    else if (["lang", "layer", "unit"].includes(name)) others[name] = text;
    else if (!readSetting(given, name, text)) rejected.push(`${name}=${text}`);
  });
  return { settings: { ...DEFAULTS, ...given }, at, others, rejected };
}

/** The shortest address of a state: what has its default is left out. */
export function writeAddress(settings: Settings, at: number | null, others: Readonly<Record<string, string>>): string {
  const names = Object.keys(settings) as (keyof Settings)[];
  const own = names.filter((name) => settings[name] !== DEFAULTS[name]).map((name) => [name, String(settings[name])]);
  const step = at === null ? [] : [["at", String(at)]];
  return `#${new URLSearchParams([...own, ...step, ...Object.entries(others)]).toString()}`;
}
