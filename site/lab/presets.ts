// The lecture's claims and cautions, each as settings: what is not named has its default.
import { DEFAULTS, type Settings } from "./settings.js";

const PRESET_NAMES = ["speed", "rate", "large", "small", "deep", "overfit", "shift", "two", "usual", "lag"] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

const CHANGES: Readonly<Record<PresetName, Partial<Settings>>> = {
  speed: {},
  rate: { activation: "relu", rate: 3 },
  large: { activation: "relu", rate: 0.1, sigma: 5 },
  small: { activation: "relu", rate: 0.1, sigma: 0.005 },
  deep: { depth: 8 },
  overfit: { activation: "relu", rate: 0.1, digits: 200 },
  shift: { activation: "tanh", rate: 0.5 },
  two: { activation: "relu", rate: 0.1, batch: 2 },
  usual: { activation: "relu", rate: 0.5, batch: 256 },
  lag: { momentum: 0.001 },
};

export const presets: readonly { readonly name: PresetName; readonly settings: Settings }[] = PRESET_NAMES.map(
  (name) => ({ name, settings: { ...DEFAULTS, ...CHANGES[name] } }),
);

/** The preset that has exactly these settings, whatever the seed. */
export function presetOf(settings: Settings): PresetName | null {
  const names = (Object.keys(DEFAULTS) as (keyof Settings)[]).filter((name) => name !== "seed");
  return presets.find((preset) => names.every((name) => preset.settings[name] === settings[name]))?.name ?? null;
}
