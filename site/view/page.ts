// The page: what a visitor does goes to the two networks and into the address, and what they answer is drawn.
import { Conductor, SIDES, type Focus, type Frame } from "../lab/conductor.js";
import { readAddress, writeAddress, type Address, type Settings } from "../lab/settings.js";
import { makeAlgorithm } from "./algorithm.js";
import { makeAnswers } from "./answers.js";
import { makeCharts } from "./charts.js";
import { makeControls, type Controls } from "./controls.js";
import { button, byId, make, percent, speak, text, words, type Language } from "./dom.js";
import { makeDrawing } from "./drawing.js";
import { focusOf, hashOf, languageOf, loadDigits, othersOf } from "./places.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
/** With reduced motion, pictures change once a second. */
const CALM_MS = 1000;

class Page {
  readonly #conductor: Conductor;
  readonly #controls: Controls;
  readonly #charts = makeCharts();
  readonly #drawAlgorithm: (frame: Frame) => void;
  readonly #askAgain: readonly (() => Promise<void>)[];
  #settings: Settings;
  #focus: Focus;
  #language: Language;
  #frame: Frame | null = null;
  #isScheduled = false;
  #drawnAt = -CALM_MS;

  constructor(conductor: Conductor, file: Uint8Array, settings: Settings, focus: Focus, language: Language) {
    this.#conductor = conductor;
    this.#settings = settings;
    this.#focus = focus;
    this.#language = language;
    this.#drawAlgorithm = makeAlgorithm(() => this.#conductor.pause());
    this.#askAgain = [makeAnswers(conductor, file), makeDrawing(conductor, file)];
    this.#controls = makeControls(
      settings,
      (given) => this.#change(given),
      (given) => this.#begin(given, this.#focusIn(given), null),
    );
    conductor.onFrame = (frame) => this.#take(frame);
    conductor.onPlaying = () => this.#showPlaying();
    this.#listen();
  }

  #listen(): void {
    button("play", () => (this.#conductor.isPlaying ? this.#conductor.pause() : void this.#conductor.play()));
    button("step", () => {
      this.#conductor.pause();
      void this.#conductor.advance(this.#conductor.step + 1);
    });
    button("reset", () => void this.#conductor.begin(this.#settings, this.#focus));
    button("link", () => void this.#copyLink());
    button("fingerprint", () => void this.#showHashes());
    document.querySelectorAll<HTMLElement>("[data-language]").forEach((element) => {
      element.addEventListener("click", () => this.speak(languageOf(element.dataset["language"])));
    });
    for (const id of ["layer", "unit"]) {
      byId(id, HTMLElement).addEventListener("change", () => {
        const [layer, unit] = [byId("layer", HTMLSelectElement).value, byId("unit", HTMLInputElement).value];
        this.#focus = focusOf(layer, unit, this.#settings.depth);
        this.#showFocus();
        void this.#conductor.lookAt(this.#focus);
      });
    }
    addEventListener("hashchange", () => this.open(readAddress(location.hash)));
    addEventListener("resize", () => this.#charts.renew());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#charts.renew());
  }

  /** Begins with what an address says. */
  open({ settings, at, others, rejected }: Address): void {
    this.speak(languageOf(others["lang"]));
    this.#begin(settings, focusOf(others["layer"], others["unit"], settings.depth), at);
    text("notice", rejected.length > 0 ? words.rejected(rejected.join(", ")) : "");
  }

  /** Begins again, and plays up to step `at`. */
  #begin(settings: Settings, focus: Focus, at: number | null): void {
    this.#conductor.pause();
    text("notice", "");
    this.#settings = settings;
    this.#focus = focus;
    this.#controls.show(settings);
    this.#showFocus();
    void this.#conductor.begin(settings, focus);
    // Motion that nobody asked for is left out: one step is taken, and the rest when it is played.
    if (at === null && calm.matches) void this.#conductor.advance(1);
    else if (at !== 0) void this.#conductor.play(at ?? undefined);
  }

  /** The same unit in a network of another depth; the last layer stays the last. */
  #focusIn({ depth }: Settings): Focus {
    const { layer, unit } = this.#focus;
    return focusOf(layer === this.#settings.depth - 1 ? undefined : String(layer + 1), String(unit + 1), depth);
  }

  #change(settings: Settings): void {
    this.#focus = this.#focusIn(settings);
    this.#settings = settings;
    this.#controls.show(settings);
    this.#showFocus();
    void this.#conductor.change(settings, this.#focus);
  }

  speak(language: Language): void {
    this.#language = language;
    speak(language);
    this.#controls.speak();
    this.#showPlaying();
    text("notice", "");
    if (this.#frame) this.#take(this.#frame);
  }

  #showFocus(): void {
    const numbers = Array.from({ length: this.#settings.depth }, (_, i) => String(i + 1));
    const layer = byId("layer", HTMLSelectElement);
    layer.replaceChildren(...numbers.map((value) => make("option", { value, textContent: value })));
    layer.value = String(this.#focus.layer + 1);
    byId("unit", HTMLInputElement).value = String(this.#focus.unit + 1);
    this.#writeAddress();
  }

  #showPlaying(): void {
    const { isPlaying, step } = this.#conductor;
    text("play", isPlaying ? words.pause : words.play);
    if (this.#frame && !isPlaying) text("status", words.paused(step, ...this.#shares(this.#frame)));
    else text("status", "");
    this.#writeAddress();
  }

  #shares({ states }: Frame): [string, string] {
    const share = ({ divergedAt, accuracy }: Frame["states"]["with"]): string =>
      divergedAt === null ? percent(accuracy) : words.diverged;
    return [share(states.without), share(states.with)];
  }

  /** While it trains, the address has no step; nor after settings were changed on the way, as it would not lead here. */
  #writeAddress(): void {
    const { isPlaying, isAltered, step } = this.#conductor;
    const others = othersOf(this.#language, this.#focus, this.#settings.depth);
    history.replaceState(null, "", writeAddress(this.#settings, isPlaying || isAltered ? null : step, others));
  }

  async #copyLink(): Promise<void> {
    const { isAltered, step } = this.#conductor;
    const others = othersOf(this.#language, this.#focus, this.#settings.depth);
    const link = location.href.split("#")[0] + writeAddress(this.#settings, isAltered ? null : step, others);
    await navigator.clipboard.writeText(link).then(
      () => text("notice", isAltered ? words.linkApproximate : words.linkCopied),
      () => text("notice", words.linkRefused),
    );
  }

  async #showHashes(): Promise<void> {
    const { step } = this.#conductor;
    const both = await this.#conductor.ask(async (side) => hashOf(await side.parameters()));
    const backend = await this.#conductor.sides.with.backendInUse();
    text("backend", words.backend(String(backend)));
    byId("hashes", HTMLElement).replaceChildren(
      ...SIDES.flatMap((side) => [
        make("dt", { textContent: `${words[side]}, ${words.stepCount} ${step}` }),
        make("dd", { id: `hash-${side}`, textContent: both[side] }),
      ]),
    );
  }

  #take(frame: Frame): void {
    this.#frame = frame;
    this.#charts.add(frame);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const wait = calm.matches && this.#conductor.isPlaying ? this.#drawnAt + CALM_MS - performance.now() : 0;
    setTimeout(() => requestAnimationFrame(() => this.#draw()), Math.max(0, wait));
  }

  #draw(): void {
    this.#isScheduled = false;
    this.#drawnAt = performance.now();
    const frame = this.#frame!;
    text("count", String(frame.step));
    const shares = this.#shares(frame);
    SIDES.forEach((side, i) => {
      const { divergedAt, trainingAccuracy } = frame.states[side];
      text(`accuracy-${side}`, shares[i]!);
      text(
        `note-${side}`,
        divergedAt === null ? words.cardNote(percent(trainingAccuracy)) : words.divergedNote(divergedAt),
      );
    });
    if (!this.#conductor.isPlaying) this.#showPlaying();
    this.#charts.draw(frame);
    this.#drawAlgorithm(frame);
    for (const ask of this.#askAgain) void ask();
  }
}

async function start(): Promise<void> {
  const address = readAddress(location.hash);
  const { settings, others } = address;
  const language = languageOf(others["lang"]);
  speak(language);
  text("status", words.loading);
  const file = loadDigits();
  const focus = focusOf(others["layer"], others["unit"], settings.depth);
  const conductor = await Conductor.open(file, settings, focus);
  new Page(conductor, await file, settings, focus, language).open(address);
}

function fail(error: unknown): void {
  text("status", words.failed(error instanceof Error ? error.message : String(error)));
}

// A call that a worker could not answer.
addEventListener("unhandledrejection", ({ reason }) => fail(reason));
start()
  .catch(fail)
  // Until here a button would do nothing.
  .finally(() => (document.querySelector("main")!.inert = false));
