// The strip that shows who spoke when. Positions are SVG attributes: the content policy blocks styles.
import { clock } from "../ui.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const LEAST = 2;
const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
// The position of each party's bars, without and with sentiment under them. Sentiment above the middle
// line is positive, below it negative, so that it can be read without colours.
const LANES = { agent: 5, customer: 31, height: 58 };
const LANES_WITH_MOOD = { agent: 5, customer: 57, height: 108 };
const MOOD_MIDDLE = 36; // from the top of the bar
const MOOD_REACH = 10;

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}

export class Strip {
  constructor(strip, ticks, duration) {
    Object.assign(this, { strip, ticks, duration });
    this.lanes = LANES;
    this.head = strip.querySelector("#strip-head");
    strip.addEventListener("click", (event) => {
      const box = strip.getBoundingClientRect();
      const seconds = ((event.clientX - box.left) / box.width) * this.duration;
      document.dispatchEvent(new CustomEvent("session:seek", { detail: { seconds } }));
    });
  }

  /** Extends the strip: it always shows the whole call. */
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
    const scale = WIDTH / this.duration;
    const bar = shape("rect", {
      class: speaker,
      x: (start * scale).toFixed(2),
      y: this.lanes[speaker] ?? this.lanes.customer,
      width: Math.max((end - start) * scale, LEAST).toFixed(2),
      height: 22,
      rx: 3,
      "data-id": id,
    });
    this.strip.insertBefore(bar, this.head);
    document.getElementById("strip-panel").hidden = false;
  }

  /** Draws the sentiment of each line under its bar: scores of -1 to 1 by id. Null removes it. */
  mood(scores) {
    for (const mark of this.strip.querySelectorAll(".mood")) mark.remove();
    const bars = [...this.strip.querySelectorAll("rect[data-id]")];
    const told = scores ? bars.filter((bar) => bar.dataset.id in scores) : [];
    this.lanes = told.length ? LANES_WITH_MOOD : LANES;
    this.strip.setAttribute("viewBox", `0 0 ${WIDTH} ${this.lanes.height}`);
    this.strip.classList.toggle("with-mood", told.length > 0);
    this.head.setAttribute("y2", this.lanes.height);
    for (const bar of bars) bar.setAttribute("y", this.lanes[bar.classList[0]] ?? this.lanes.customer);
    document.getElementById("mood-legend").hidden = !told.length;
    this.strip.setAttribute("aria-label", told.length ? this.spoken(told, scores) : "Who spoke when");
    if (!told.length) return;
    for (const speaker of ["agent", "customer"]) {
      const y = this.lanes[speaker] + MOOD_MIDDLE;
      this.strip.insertBefore(shape("line", { class: "mood", x1: 0, x2: WIDTH, y1: y, y2: y }), this.head);
    }
    for (const bar of told) this.strip.insertBefore(this.mark(bar, scores[bar.dataset.id]), this.head);
  }

  mark(bar, score) {
    const size = Math.max(Math.min(Math.abs(score), 1) * MOOD_REACH, 1);
    const middle = Number(bar.getAttribute("y")) + MOOD_MIDDLE;
    const mark = shape("rect", {
      class: `mood ${bar.classList[0]}`,
      x: bar.getAttribute("x"),
      y: (score > 0 ? middle - size : middle).toFixed(2),
      width: bar.getAttribute("width"),
      height: size.toFixed(2),
    });
    const title = document.createElementNS(SVG, "title");
    const sign = score > 0 ? "+" : score < 0 ? "−" : "";
    title.textContent = `Sentiment ${sign}${Math.abs(score).toFixed(2)}`;
    mark.append(title);
    return mark;
  }

  /** The sentiment as text, for screen readers. */
  spoken(told, scores) {
    const parts = ["agent", "customer"].map((speaker) => {
      const own = told.filter((bar) => bar.classList.contains(speaker)).map((bar) => scores[bar.dataset.id]);
      const [up, down] = [own.filter((score) => score >= 0.2).length, own.filter((score) => score <= -0.2).length];
      return `${speaker}: ${up} positive, ${own.length - up - down} neutral, ${down} negative lines`;
    });
    return `Who spoke when, and with what sentiment. ${parts.join("; ")}`;
  }

  drawTicks() {
    const step = STEPS.find((each) => this.duration / each <= 8) ?? 7200;
    const texts = [];
    for (let at = 0; at / this.duration < 0.91; at += step) {
      const text = shape("text", { x: `${((at / this.duration) * 100).toFixed(2)}%`, y: 12 });
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
