// The switch between training and evaluation mode, and the trap of a batch of one.
import type { Both, Conductor } from "../lab/conductor.js";
import { byId, make, text, words } from "./dom.js";
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

  function row(name: string, kind: string, answers: readonly number[]): HTMLElement {
    const right = answers.filter((answer, i) => answer === digits[i]!.label).length;
    const cells = answers.map((answer, i) =>
      make("td", {
        className: answer === digits[i]!.label ? "right" : "wrong",
        textContent: answer < 0 ? "–" : String(answer),
      }),
    );
    const head = make("th", { scope: "row", className: kind, textContent: name });
    return make("tr", {}, [head, ...cells, make("td", { textContent: `${right}/${COUNT}` })]);
  }

  function draw(answers: Both<readonly number[]>): void {
    const head = make("tr", {}, [
      make("td"),
      ...pictures.map((picture) => make("th", { scope: "col" }, [picture])),
      make("th", { scope: "col", textContent: words.rightly }),
    ]);
    byId("answers", HTMLTableElement).replaceChildren(
      make("thead", {}, [head]),
      make("tbody", {}, [
        row(words.shortWithout, "without", answers.without),
        row(words.shortWith, "with", answers.with),
      ]),
    );
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
