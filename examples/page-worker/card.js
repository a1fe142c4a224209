// A card of the page: counts frames, and draws how long each of the newest took.

/** Bars in the chart. */
const BARS = 120;
/** What the chart has room for, and what a frame takes at 60 in a second, in milliseconds. */
const HIGHEST = 100;
const USUAL = 1000 / 60;
/** Pixels for the words beside the bars. */
const MARGIN = 48;

export class Card {
  #element;
  #chart;
  #last = null;
  #times = [];
  #counts = {};

  constructor(id, title) {
    this.#element = document.getElementById(id);
    this.#element.append(document.getElementById("card").content.cloneNode(true));
    const heading = this.#element.querySelector("h3");
    heading.id = this.#element.getAttribute("aria-labelledby");
    heading.textContent = title;
    this.#chart = this.#element.querySelector("canvas");
    this.begin();
  }

  /** Begins to count. */
  begin() {
    this.#last = null;
    this.#times = [];
    this.#counts = { longest: 0, frames: 0, meanwhile: 0, tensors: 0, dropped: 0 };
  }

  count(what) {
    this.#counts[what]++;
  }

  /** A frame that is drawn at `now`, in milliseconds, and whether a tensor is worked on just now. */
  frame(now, isMeanwhile) {
    if (this.#last !== null) {
      const time = now - this.#last;
      this.#times.push(time);
      if (this.#times.length > BARS) this.#times.shift();
      this.#counts.longest = Math.max(this.#counts.longest, time);
      this.#counts.frames++;
      if (isMeanwhile) this.#counts.meanwhile++;
    }
    this.#last = now;
    this.#show();
  }

  #show() {
    for (const cell of this.#element.querySelectorAll("[data-is]")) {
      const value = this.#counts[cell.dataset.is];
      cell.textContent = value.toFixed(0);
    }
    this.#drawChart();
  }

  /** Frames that took longer than there is room for end at the top. */
  #drawChart() {
    const chart = this.#chart;
    const style = getComputedStyle(this.#element);
    const width = (chart.width = chart.clientWidth) - MARGIN;
    const pen = chart.getContext("2d");
    const yOf = (time) => Math.max(0, chart.height * (1 - time / HIGHEST));
    pen.fillStyle = style.getPropertyValue("--own");
    this.#times.forEach((time, i) => {
      pen.fillRect(MARGIN + (i * width) / BARS, yOf(time), Math.max(1, width / BARS - 1), chart.height);
    });
    pen.fillStyle = style.getPropertyValue("--quiet");
    pen.font = "12px system-ui, sans-serif";
    for (const [time, below] of [
      [HIGHEST, 11],
      [USUAL, 4],
    ]) {
      pen.fillText(`${time.toFixed(0)} ms`, 0, yOf(time) + below);
      pen.fillRect(MARGIN, yOf(time), width, 1);
    }
  }
}

/** Dots that go round, one step each frame. They are drawn by the page's thread, so they stop when it is busy. */
export function drawDots(canvas, step) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent");
  for (let i = 0; i < 9; i++) {
    const angle = step / 20 - i / 4;
    pen.globalAlpha = 1 - i / 10;
    pen.beginPath();
    pen.arc(
      canvas.width / 2 + 78 * Math.cos(angle),
      canvas.height / 2 + 24 * Math.sin(angle),
      7 - i / 2,
      0,
      2 * Math.PI,
    );
    pen.fill();
  }
}
