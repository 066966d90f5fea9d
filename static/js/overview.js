// The overview's chart and the durations of live calls.
import uPlot from "../vendor/uplot-1.6.32/uPlot.esm.js";
import { clock } from "./ui.js";

const HEIGHT = 220;
const holder = document.getElementById("minutes");
const source = document.getElementById("minutes-data");

// Like the server's filter "minutes".
function minutes(value) {
  return value > 0 && value < 1 ? "<1" : String(Math.round(value));
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Stacked bars: the total is drawn first, the first part last. */
function draw() {
  const { days, modes } = JSON.parse(source.textContent);
  const names = Object.keys(modes);
  const colours = ["--accent", "--customer", "--chart-3", "--chart-4", "--mute"].map(token);
  const stacked = [];
  names.reduce((below, name) => {
    const sums = modes[name].map((minutes, day) => minutes + below[day]);
    stacked.push(sums);
    return sums;
  }, days.map(() => 0));
  const bars = uPlot.paths.bars({ size: [0.62, 36], radius: 0.12 });
  const series = names.map((name, at) => ({
    label: (name[0].toUpperCase() + name.slice(1)).replaceAll("_", " "),
    fill: colours[at % colours.length],
    stroke: "transparent",
    paths: bars,
    points: { show: false },
    value: (chart, value, _, day) => (day == null ? "" : `${minutes(modes[name][day])} min`),
  }));
  const font = `11px ${token("--font")}`;
  const axis = { stroke: token("--mute"), font, ticks: { show: false } };
  holder.replaceChildren();
  return new uPlot(
    {
      width: holder.clientWidth,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      padding: [10, 18, 0, 0],
      cursor: { y: false, drag: { setScale: false } },
      scales: { x: { range: [days[0] - 43200, days.at(-1) + 43200] }, y: { range: (_, least, most) => [0, Math.max(most * 1.1, 1)] } },
      series: [
        { label: "Day", value: (_, seconds) => seconds == null ? "" : new Date(seconds * 1000).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }) },
        ...series.reverse(),
      ],
      axes: [
        { ...axis, size: 30, grid: { show: false }, splits: () => days.filter((_, at) => (days.length - 1 - at) % (holder.clientWidth < 480 ? 4 : 2) === 0), values: (_, splits) => splits.map((seconds) => new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" })) },
        { ...axis, size: 44, grid: { stroke: token("--line"), width: 1 } },
      ],
    },
    [days, ...stacked.reverse()],
    holder,
  );
}

if (holder) {
  let chart = draw();
  document.addEventListener("themechange", () => { chart.destroy(); chart = draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { chart.destroy(); chart = draw(); });
  new ResizeObserver(() => {
    if (Math.abs(holder.clientWidth - chart.width) > 2) chart.setSize({ width: holder.clientWidth, height: HEIGHT });
  }).observe(holder);
}

setInterval(() => {
  for (const since of document.querySelectorAll("[data-since]")) {
    since.textContent = clock((Date.now() - Date.parse(since.dataset.since)) / 1000);
  }
  const count = document.querySelectorAll("#live .list > li").length;
  document.getElementById("live-count").textContent = count;
}, 1000);
