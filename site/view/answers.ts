// The switch between training and evaluation mode, and the trap of a batch of one.
import { SIDES, type Both, type Conductor } from "../lab/conductor.js";
import { cell, fillTable, make, text, words } from "./dom.js";
import { heldOut, paint } from "./pixels.js";

const COUNT = 10;

function isChosen(name: string, value: string): boolean {
  return document.querySelector<HTMLInputElement>(`input[name="${name}"][value="${value}"]`)!.checked;
}

export function makeAnswers(conductor: Conductor, file: Uint8Array): () => Promise<void> {
  const digits = Array.from({ length: COUNT }, (_, i) => heldOut(file, i));
  const pictures = digits.map(({ image, label }) => {
    const canvas = make("canvas", { width: 28, height: 28 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", String(label));
    paint(canvas, image);
    return canvas;
  });

  function row(name: string, kind: string, answers: readonly number[]): HTMLElement[] {
    const isRight = answers.map((answer, i) => answer === digits[i]!.label);
    const cells = answers.map((answer, i) =>
      cell(answer < 0 ? "–" : String(answer), "", isRight[i] ? "right" : "wrong"),
    );
    return [cell(name, "row", kind), ...cells, cell(`${isRight.filter(Boolean).length}/${COUNT}`)];
  }

  function draw(answers: Both<readonly number[]>): void {
    const head = [
      cell(""),
      ...pictures.map((picture) => make("th", { scope: "col" }, [picture])),
      cell(words.rightly, "col"),
    ];
    const rows = SIDES.map((side) => row(side === "with" ? words.shortWith : words.shortWithout, side, answers[side]));
    fillTable("answers", head, rows);
  }

  async function ask(): Promise<void> {
    const training = isChosen("mode", "train");
    const oneByOne = isChosen("given", "one");
    draw(await conductor.ask((side) => side.answers(COUNT, oneByOne, training)));
    text("trap-note", training ? (oneByOne ? words.trapSame : words.trapBatch) : words.trapEval);
  }

  document.querySelectorAll("input[name=mode], input[name=given]").forEach((input) => {
    input.addEventListener("change", () => void ask());
  });
  return ask;
}
