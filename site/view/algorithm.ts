// Algorithm 1 line by line, with the numbers of the chosen unit.
import type { Frame } from "../lab/conductor.js";
import type { Algorithm } from "../lab/look.js";
import { byId, button, cell, fillTable, make, number, text, words } from "./dom.js";

const ROWS = 8;

type LineName = keyof typeof words.line;

interface Line {
  readonly name: LineName;
  readonly formula: string;
  readonly value: (numbers: Algorithm) => string;
}

/** A number behind an operator. */
const operand = (value: number): string => (value < 0 ? `(${number(value)})` : number(value));

const mixed = (momentum: number, old: number, fresh: number): string =>
  `${number(1 - momentum)} · ${operand(old)} + ${number(momentum)} · ${operand(fresh)} = ${number((1 - momentum) * old + momentum * fresh)}`;

/** The values of the first digit of the batch stand in the lines that have one value for each digit. */
const LINES: readonly Line[] = [
  {
    name: "mean",
    formula: "μ = (1/m) · Σ xᵢ",
    value: ({ x, mean }) => `(1/${x.length}) · ${operand(mean * x.length)} = ${number(mean)}`,
  },
  {
    name: "variance",
    formula: "σ² = (1/m) · Σ (xᵢ − μ)²",
    value: ({ x, variance }) => `(1/${x.length}) · ${number(variance * x.length)} = ${number(variance)}`,
  },
  {
    name: "normalize",
    formula: "x̂ᵢ = (xᵢ − μ) / √(σ² + ε)",
    value: ({ x, mean, variance, eps, xhat }) =>
      `x̂₁ = (${number(x[0]!)} − ${operand(mean)}) / √(${number(variance)} + ${eps.toExponential(0).replace("-", "−")}) = ${number(xhat[0]!)}`,
  },
  {
    name: "scale",
    formula: "yᵢ = γ · x̂ᵢ + β",
    value: ({ gamma, beta, xhat, y }) =>
      `y₁ = ${number(gamma)} · ${operand(xhat[0]!)} + ${operand(beta)} = ${number(y[0]!)}`,
  },
  {
    name: "running",
    formula: "E ← (1 − a) · E + a · μ\nV ← (1 − a) · V + a · σ² · m/(m − 1)",
    value: ({ x, mean, variance, momentum, running }) =>
      `E = ${mixed(momentum, running.mean, mean)}\nV = ${mixed(momentum, running.variance, (variance * x.length) / (x.length - 1))}`,
  },
  { name: "gradBeta", formula: "dβ = Σ dyᵢ", value: ({ gradBeta }) => `dβ = ${number(gradBeta)}` },
  { name: "gradGamma", formula: "dγ = Σ dyᵢ · x̂ᵢ", value: ({ gradGamma }) => `dγ = ${number(gradGamma)}` },
  {
    name: "gradX",
    formula: "dxᵢ = γ / √(σ² + ε) · (dyᵢ − dβ/m − x̂ᵢ · dγ/m)",
    value: ({ x, gamma, variance, eps, gradY, gradBeta, gradGamma, xhat, gradX }) =>
      `dx₁ = ${number(gamma / Math.sqrt(variance + eps))} · (${number(gradY[0]!)} − ${operand(gradBeta / x.length)} − ${operand((xhat[0]! * gradGamma) / x.length)}) = ${number(gradX[0]!)}`,
  },
];

/** The columns of the table, and the line from which each is known. */
const COLUMNS: readonly { name: string; from: number; values: (numbers: Algorithm) => readonly number[] }[] = [
  { name: "xᵢ", from: 0, values: ({ x }) => x },
  { name: "x̂ᵢ", from: 2, values: ({ xhat }) => xhat },
  { name: "yᵢ", from: 3, values: ({ y }) => y },
  { name: "dyᵢ", from: 5, values: ({ gradY }) => gradY },
  { name: "dxᵢ", from: 7, values: ({ gradX }) => gradX },
];

/** `still` is called before the lines are shown one by one: the numbers have to stand still. */
export function makeAlgorithm(still: () => void): (frame: Frame) => void {
  let shown = LINES.length;
  let newest: Frame | null = null;
  const list = byId("lines", HTMLElement);

  function draw(frame: Frame): void {
    newest = frame;
    const numbers = frame.looks.with.algorithm;
    if (!numbers) return;
    // While it trains, eight lines a frame are too much to be read aloud.
    list.setAttribute("aria-live", shown < LINES.length ? "polite" : "off");
    list.replaceChildren(
      ...LINES.slice(0, shown).map(({ name, formula, value }) =>
        make("li", {}, [
          make("code", { textContent: formula }),
          make("span", { className: "note", textContent: words.line[name] }),
          make("code", { className: "numbers", textContent: value(numbers) }),
        ]),
      ),
    );
    drawTable(numbers);
  }

  function drawTable(numbers: Algorithm): void {
    const columns = COLUMNS.map(({ name, from, values }) => ({ name, values: from < shown ? values(numbers) : null }));
    const rows = Math.min(ROWS, numbers.x.length);
    const heads = ["i", words.digit, ...columns.map(({ name }) => name)];
    const rowOf = (i: number): string[] => [
      String(i + 1),
      String(numbers.labels[i]),
      ...columns.map(({ values }) => (values ? number(values[i]!) : "·")),
    ];
    fillTable(
      "samples",
      heads.map((head) => cell(head, "col")),
      Array.from({ length: rows }, (_, i) => rowOf(i).map((value) => cell(value))),
    );
    text("more", words.more(rows, numbers.x.length));
  }

  const show = (lines: number): void => {
    shown = lines;
    if (shown < LINES.length) still();
    if (newest) draw(newest);
  };
  button("line-first", () => show(1));
  button("line-next", () => show(shown < LINES.length ? shown + 1 : 1));
  button("line-all", () => show(LINES.length));
  return draw;
}
