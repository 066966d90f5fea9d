// The strip of who spoke when. Positions are SVG attributes: the content policy forbids styles.
import { clock } from "../ui.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const LEAST = 2;
const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

export class Strip {
  constructor(strip, ticks, duration) {
    Object.assign(this, { strip, ticks, duration });
    this.head = strip.querySelector("#strip-head");
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      const seconds = ((event.clientX - box.left) / box.width) * this.duration;
      document.dispatchEvent(new CustomEvent("session:seek", { detail: { seconds } }));
    });
  }

  /** Adds a segment, or only time: the strip always spans the whole call. */
  grow(duration) {
    if (duration <= this.duration * 1.002) return;
    const shrink = this.duration / duration;
    for (const bar of this.strip.querySelectorAll("rect")) {
      bar.setAttribute("x", (bar.getAttribute("x") * shrink).toFixed(2));
      bar.setAttribute("width", Math.max(bar.getAttribute("width") * shrink, LEAST).toFixed(2));
    }
    this.duration = duration;
    this.drawTicks();
  }

  add({ id, speaker, start_time: start, end_time: end }) {
    this.grow(end);
    const bar = document.createElementNS(SVG, "rect");
    const scale = WIDTH / this.duration;
    for (const [name, value] of Object.entries({
      class: speaker,
      x: (start * scale).toFixed(2),
      y: speaker === "agent" ? 5 : 31,
      width: Math.max((end - start) * scale, LEAST).toFixed(2),
      height: 22,
      rx: 3,
      "data-id": id,
    })) bar.setAttribute(name, value);
    this.strip.insertBefore(bar, this.head);
    document.getElementById("strip-panel").hidden = false;
  }

  drawTicks() {
    const step = STEPS.find((each) => this.duration / each <= 8) ?? 7200;
    const texts = [];
    for (let at = 0; at / this.duration < 0.91; at += step) {
      const text = document.createElementNS(SVG, "text");
      text.setAttribute("x", `${((at / this.duration) * 100).toFixed(2)}%`);
      text.setAttribute("y", 12);
      text.textContent = clock(at);
      texts.push(text);
    }
    this.ticks.replaceChildren(...texts);
  }

  moveHead(seconds) {
    const x = ((seconds / this.duration) * WIDTH).toFixed(2);
    this.head.setAttribute("x1", x);
    this.head.setAttribute("x2", x);
    this.head.setAttribute("visibility", "visible");
  }
}
