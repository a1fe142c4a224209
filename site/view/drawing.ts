// A canvas for the visitor's own digit, by pointer or by keyboard, and what both networks say to it.
import { CLASSES, PIXELS } from "../../examples/digits/network/samples.js";
import { SIDES, type Both, type Conductor, type SideName } from "../lab/conductor.js";
import { centred } from "../lab/own-digit.js";
import { HELD_OUT_DIGITS } from "../lab/digit-set.js";
import { byId, button, cell, fillTable, make, percent, text, words } from "./dom.js";
import { heldOut, paint } from "./pixels.js";

const SIZE = 280;
const PEN = 20;
const KEY_STEP = 10;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-KEY_STEP, 0],
  ArrowRight: [KEY_STEP, 0],
  ArrowUp: [0, -KEY_STEP],
  ArrowDown: [0, KEY_STEP],
};

function guess(side: SideName, share: number): HTMLElement {
  const bar = make("span", { className: `bar-${side}` });
  bar.style.width = `${Math.round(60 * (share || 0))}px`;
  const textContent = Number.isFinite(share) ? percent(share) : "–";
  return make("td", {}, [
    make("span", { className: "track" }, [bar]),
    make("span", { className: "share", textContent }),
  ]);
}

function drawGuesses(probabilities: Both<readonly number[]>): void {
  const rows = Array.from({ length: CLASSES }, (_, digit) => [
    cell(String(digit), "row"),
    ...SIDES.map((side) => guess(side, probabilities[side][digit]!)),
  ]);
  fillTable("guesses", [cell(""), cell(words.shortWithout, "col"), cell(words.shortWith, "col")], rows);
}

function best(probabilities: readonly number[]): string {
  const largest = Math.max(...probabilities);
  return Number.isNaN(largest) ? words.diverged : `${probabilities.indexOf(largest)} (${percent(largest)})`;
}

/** Returns a function that asks again: the networks learn while the drawing stands. */
export function makeDrawing(conductor: Conductor, file: Uint8Array): () => Promise<void> {
  const canvas = byId("canvas", HTMLCanvasElement);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  Object.assign(context, {
    lineWidth: PEN,
    lineCap: "round",
    lineJoin: "round",
    strokeStyle: "#000",
    fillStyle: "#fff",
  });
  let image: Float32Array | null = null;
  let pen: readonly [number, number] = [SIZE / 2, SIZE / 4];
  let isDown = false;
  let sample = 0;

  async function ask(): Promise<void> {
    if (!image) {
      text("guess", words.nothingDrawn);
      byId("guesses", HTMLTableElement).replaceChildren();
      return;
    }
    const asked = image;
    const probabilities = await conductor.ask((side) => side.probabilities(asked));
    drawGuesses(probabilities);
    // While it trains, the words change too often to be read aloud.
    byId("guess", HTMLElement).setAttribute("aria-live", conductor.isPlaying ? "off" : "polite");
    text("guess", words.guess(best(probabilities.without), best(probabilities.with)));
  }

  function see(given: Float32Array | null): void {
    image = given;
    paint(byId("seen", HTMLCanvasElement), given ?? new Float32Array(PIXELS));
    void ask();
  }

  function seeDrawing(): void {
    const { data } = context.getImageData(0, 0, SIZE, SIZE);
    see(
      centred(
        Float32Array.from({ length: SIZE * SIZE }, (_, i) => 1 - data[4 * i]! / 255),
        SIZE,
      ),
    );
  }

  function line(to: readonly [number, number]): void {
    context.beginPath();
    context.moveTo(...pen);
    context.lineTo(...to);
    context.stroke();
  }

  function clear(): void {
    context.fillRect(0, 0, SIZE, SIZE);
    isDown = false;
    see(null);
  }

  function move(to: readonly [number, number]): void {
    if (isDown) line(to);
    pen = to;
    Object.assign(byId("pen", HTMLElement).style, {
      left: `${(100 * to[0]) / SIZE}%`,
      top: `${(100 * to[1]) / SIZE}%`,
    });
  }

  const placeOf = ({ offsetX, offsetY }: PointerEvent): readonly [number, number] => {
    const scale = SIZE / canvas.clientWidth;
    return [offsetX * scale, offsetY * scale];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen = placeOf(event);
    isDown = true;
    move(pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons > 0) move(placeOf(event));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      isDown = false;
      seeDrawing();
    });
  }
  canvas.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (arrow)
      move([pen[0] + arrow[0], pen[1] + arrow[1]].map((at) => Math.min(SIZE, Math.max(0, at))) as [number, number]);
    else if (event.key === " ") isDown = !isDown;
    else if (event.key === "Delete" || event.key === "Backspace") return clear();
    else return;
    event.preventDefault();
    if (isDown) {
      move(pen);
      seeDrawing();
    }
  });
  button("clear", clear);
  button("sample", () => {
    sample = (sample + 1) % HELD_OUT_DIGITS;
    const { image: given } = heldOut(file, sample);
    see(given);
    context.drawImage(byId("seen", HTMLCanvasElement), 0, 0, SIZE, SIZE);
  });
  clear();
  return ask;
}
