// The sliders and choices of the settings, and the claims.
import { ACTIVATIONS, type ActivationName } from "../../examples/digits/network/activations.js";
import { presetOf, presets } from "../lab/presets.js";
import { readSeed, STOPS, type Settings, type Slider } from "../lab/settings.js";
import { byId, make, text, words } from "./dom.js";

const AT_ONCE = ["rate", "batch", "momentum"] as const satisfies readonly Slider[];
const ANEW = ["sigma", "depth", "digits"] as const satisfies readonly Slider[];

export interface Controls {
  /** Shows these settings. */
  readonly show: (settings: Settings) => void;
  /** Writes all names again, in the language of now. */
  readonly speak: () => void;
}

function nearest(stops: readonly number[], value: number): number {
  const distances = stops.map((stop) => Math.abs(stop - value));
  return distances.indexOf(Math.min(...distances));
}

function shownValue(name: Slider, value: number): string {
  return name === "sigma" && value === 0 ? words.auto : String(value);
}

interface SliderRow {
  readonly row: HTMLElement;
  readonly show: (settings: Settings) => void;
}

function makeSlider(name: Slider, chosen: (value: number) => void): SliderRow {
  const stops: readonly number[] = STOPS[name];
  const input = make("input", { type: "range", id: `set-${name}`, min: "0", max: String(stops.length - 1), step: "1" });
  const output = make("output");
  output.htmlFor.add(input.id);
  const write = (value: number): void => {
    output.textContent = shownValue(name, value);
    input.setAttribute("aria-valuetext", shownValue(name, value));
  };
  input.addEventListener("input", () => write(stops[input.valueAsNumber]!));
  input.addEventListener("change", () => chosen(stops[input.valueAsNumber]!));
  const label = make("label", { htmlFor: input.id });
  label.dataset["setting"] = name;
  return {
    row: make("div", { className: "setting" }, [label, output, input]),
    show(settings) {
      input.value = String(nearest(stops, settings[name]));
      write(settings[name]);
    },
  };
}

function withLabel(name: string, control: HTMLElement): HTMLElement {
  const label = make("label", { htmlFor: control.id });
  label.dataset["setting"] = name;
  return make("div", { className: "setting" }, [label, control]);
}

/** `apply` gets the settings after every change that a visitor makes, `begin` those of a claim. */
export function makeControls(
  first: Settings,
  apply: (settings: Settings) => void,
  begin: (settings: Settings) => void,
): Controls {
  let settings = first;
  const set = (change: Partial<Settings>): void => apply({ ...settings, ...change });
  const slidersOf = (names: readonly Slider[]): SliderRow[] =>
    names.map((name) => makeSlider(name, (value) => set({ [name]: value })));
  const [atOnce, anew] = [slidersOf(AT_ONCE), slidersOf(ANEW)];
  const activation = make(
    "select",
    { id: "set-activation" },
    ACTIVATIONS.map((name) => make("option", { value: name, textContent: name === "relu" ? "ReLU" : name })),
  );
  activation.addEventListener("change", () => set({ activation: activation.value as ActivationName }));
  const seed = make("input", { type: "number", id: "set-seed", min: "0", max: String(2 ** 32 - 1), step: "1" });
  seed.addEventListener("change", () => set({ seed: readSeed(seed.value) ?? settings.seed }));
  byId("at-once", HTMLElement).append(...atOnce.map(({ row }) => row));
  const others = [withLabel("activation", activation), withLabel("seed", seed)];
  byId("anew", HTMLElement).append(...anew.map(({ row }) => row), ...others);
  byId("settings", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());

  const chips = presets.map((preset) => {
    const chip = make("button", { type: "button" });
    chip.addEventListener("click", () => begin({ ...preset.settings, seed: settings.seed }));
    return { preset, chip };
  });
  byId("presets", HTMLElement).append(...chips.map(({ chip }) => chip));

  function show(given: Settings): void {
    settings = given;
    for (const slider of [...atOnce, ...anew]) slider.show(settings);
    activation.value = settings.activation;
    seed.value = String(settings.seed);
    const chosen = presetOf(settings);
    for (const { preset, chip } of chips) chip.setAttribute("aria-pressed", String(preset.name === chosen));
    text("claim", chosen ? words.claim[chosen][1] : words.ownSettings);
  }

  return {
    show,
    speak() {
      for (const { preset, chip } of chips) chip.textContent = words.claim[preset.name][0];
      for (const [name, title] of Object.entries(words.setting)) {
        document.querySelector(`[data-setting="${name}"]`)!.textContent = title;
      }
      show(settings);
    },
  };
}
