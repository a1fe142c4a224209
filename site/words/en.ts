// The page's words in English. Its keys and kinds are what every other language must have.
import type { PresetName } from "../lab/presets.js";
import type { Slider } from "../lab/settings.js";

const claims: Readonly<Record<PresetName, readonly [name: string, what: string]>> = {
  speed: [
    "Faster training",
    "Sigmoid units, rate 0.5. Watch how many steps each network needs to pass 90 %: the normalized one is there first.",
  ],
  rate: [
    "Rate 3",
    "ReLU units, learning rate 3. Without normalization training breaks within a few steps; with it, it learns.",
  ],
  large: [
    "Large weights, σ = 5",
    "All initial weights are drawn with σ = 5. Without normalization the outputs are enormous, and training diverges at once. With it, the network learns, though slowly.",
  ],
  small: [
    "Small weights, σ = 0.005",
    "All initial weights are tiny. Without normalization the signal fades from layer to layer, and the network stays at guessing.",
  ],
  deep: [
    "Eight layers",
    "Eight hidden layers of sigmoids. Without normalization the gradient dies on its way back, and nothing is learnt.",
  ],
  overfit: [
    "200 digits only",
    "The lecture says that normalization helps against overfitting. Compare the dashed line (training digits) with the solid one (held-out digits): here the claim does not hold. The gap of the normalized network is no smaller.",
  ],
  shift: [
    "Internal covariate shift",
    "Look at the layer's histograms and the drifting percentiles below: what enters a unit moves and spreads while the layers before it learn.",
  ],
  two: [
    "Batch of 2",
    "A mean of two digits is noise. Here normalization hurts: the network with it learns worse than the one without.",
  ],
  usual: ["Batch of 256", "A usual size. The statistics of 256 digits are steady, and normalization helps."],
  lag: [
    "Slow moving average",
    "Momentum 0.001: the running statistics lag behind, so the normalized network answers badly in evaluation mode, although it has learnt. Further down, let it answer in training mode, all ten digits together.",
  ],
};

const settings: Readonly<Record<Slider | "activation" | "seed", string>> = {
  rate: "Learning rate",
  batch: "Mini-batch",
  momentum: "Momentum of the averages",
  sigma: "Initial weights, σ",
  depth: "Hidden layers of 100",
  digits: "Training digits",
  activation: "Activation",
  seed: "Seed",
};

export const en = {
  claims: "Claims of the lecture",
  claim: claims,
  setting: settings,
  title: "Batch normalization, live",
  lead: "Two networks train on handwritten digits, here in your browser, from the same weights and on the same mini-batches. One of them normalizes what enters each layer. Choose a claim and watch whether it holds.",
  skip: "Skip to the training",
  language: "Language",
  ownSettings: "Your own settings: no claim belongs to them.",
  training: "Training",
  settings: "Settings",
  atOnce: "Change while it trains",
  anew: "Begin again when changed",
  play: "Play",
  pause: "Pause",
  step: "One step",
  reset: "Begin again",
  link: "Copy link to this state",
  linkCopied: "The link is copied. It trains to this step and pauses.",
  linkApproximate: "The link is copied. Settings were changed during this training, so it begins with the newest ones.",
  linkRefused: "The browser does not let this page copy. The address bar has the link.",
  stepCount: "Step",
  loading: "Loading the digits …",
  failed: (message: string) => `This page cannot train here: ${message}`,
  rejected: (parts: string) => `The address has what this page does not know: ${parts}. The defaults were used.`,
  paused: (step: number, without: string, withIt: string) =>
    `Paused at step ${step}. Held-out digits named rightly: ${without} without, ${withIt} with normalization.`,
  percentSign: " %",
  auto: "1/√inputs",
  without: "Without batch normalization",
  with: "With batch normalization",
  shortWithout: "without",
  shortWith: "with",
  cardNote: (training: string) => `of 1000 held-out digits; training digits: ${training}`,
  diverged: "diverged",
  divergedNote: (step: number) => `Diverged at step ${step}: a weight is no longer a finite number.`,
  accuracyTitle: "Accuracy over the steps, in %.",
  accuracyKey: "Solid: held-out digits. Dashed: training digits.",
  accuracyLabel: (without: string, withIt: string) =>
    `Held-out accuracy so far: ${without} without, ${withIt} with batch normalization.`,
  inside: "Inside a layer",
  insideLead: "What the newest mini-batch puts into a layer. All three histograms have one scale.",
  layer: "Hidden layer",
  unit: "Unit",
  histogramWithout: "Without: what enters the activation",
  histogramBefore: "With: before normalization",
  histogramAfter: "With: after it, entering the activation",
  histogramLabel: (median: string, low: string, high: string) =>
    `Median ${median}, 5th percentile ${low}, 95th percentile ${high}.`,
  notFinite: "Diverged: no finite value.",
  spreadTitle: "What enters the chosen unit, over the steps.",
  spreadKey: "15th, 50th and 85th percentiles over the mini-batch, as in Figure 1 of the paper.",
  algorithm: "Algorithm 1, with this mini-batch's numbers",
  algorithmLead:
    "The chosen unit of the normalized network. Step by step, the training pauses, so that the numbers stand still.",
  lineFirst: "Step by step",
  lineNext: "Next line",
  lineAll: "All lines",
  line: {
    mean: "the mean of the mini-batch",
    variance: "its variance, divided by m",
    normalize: "normalize",
    scale: "scale and shift by what is learnt",
    running: "moving averages of mean and variance, for evaluation; a is the momentum",
    gradBeta: "back: the gradient of β",
    gradGamma: "the gradient of γ",
    gradX: "the gradient of x: through x itself, through μ and through σ²",
  },
  samples: "Values of the mini-batch",
  digit: "digit",
  more: (shown: number, all: number) => `The first ${shown} of ${all} values. All ${all} are in the sums.`,
  trap: "Training mode, evaluation mode, and a batch of one",
  trapLead:
    "The same ten held-out digits, asked of both networks as they are now. Try training mode with one digit at a time.",
  mode: "Mode of the normalization",
  modeEval: "evaluation: running statistics",
  modeTrain: "training: statistics of the batch",
  given: "Digits are given",
  givenOne: "one at a time",
  givenTen: "all ten together",
  answers: "Answers of both networks",
  trapSame:
    "In training mode a batch of one is its own mean: every value becomes β, and every digit gets the same answer.",
  trapBatch: "In training mode each answer depends on the other nine digits of the batch.",
  trapEval: "In evaluation mode each digit is judged by itself. One at a time or together, the answers are the same.",
  rightly: "right",
  draw: "Your own digit",
  drawLead:
    "Draw a digit. It is fitted and centred as those of MNIST were, and both networks name it. With the keyboard: arrow keys move the pen, the space bar puts it down or lifts it, Delete clears.",
  canvas: "Drawing area: arrow keys move the pen, space puts it down or lifts it, Delete clears",
  clear: "Clear",
  sample: "A held-out digit",
  seen: "What the networks see",
  nothingDrawn: "Nothing is drawn yet.",
  guess: (without: string, withIt: string) => `Without: ${without}. With: ${withIt}.`,
  fingerprint: "SHA-256 of all parameters",
  backend: (name: string) => `Normalization runs on: ${name}.`,
  footer:
    "Nothing leaves this page, and after loading it needs no network. The same seed gives the same bits here, in Node and in native code.",
};

type Kind<Value> = Value extends string
  ? string
  : Value extends (...args: never) => string
    ? Value
    : { readonly [Key in keyof Value]: Kind<Value[Key]> };

/** A language: a missing key or another kind is a compile error. */
export type Words = Kind<typeof en>;
