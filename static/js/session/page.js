// A session's page: connects the transcript, the strip, the player and the live connection.
import { listenIn } from "../listen/panel.js";
import { clock, copy, toast } from "../ui.js";
import { Live } from "./live.js";
import { Search } from "./search.js";
import { Strip } from "./strip.js";
import { Transcript } from "./transcript.js";

const $ = (id) => document.getElementById(id);
const page = $("session");
const data = page.dataset;
const transcript = new Transcript($("lines"), $("line"));
const strip = new Strip($("strip"), $("ticks"), Number(data.duration) || 0.001);
const listening = listenIn(data.id);
const search = new Search($("find"), $("find-count"), $("lines"), (line) => transcript.reveal(line));

// The analysis panel is loaded after the page, and again when the analysis is complete.
document.addEventListener("htmx:load", ({ detail }) => {
  if (detail.elt.id !== "analysis-panel" && !detail.elt.querySelector?.("#analysis-panel")) return;
  const scores = $("analysis-panel")?.dataset.mood;
  strip.mood(scores ? JSON.parse(scores) : null);
});
document.addEventListener("htmx:load", ({ detail }) => {
  // A panel that no longer polls: its work is done, and there is an event of it.
  if (detail.elt.matches?.("#analysis-panel:not([hx-get]), #recordings-panel:not([hx-get])")) htmx.trigger(document.body, "events-changed");
});
$("copy-transcript").addEventListener("click", () => copy(transcript.asText()));
$("shown").addEventListener("change", (event) => { $("lines").dataset.shown = event.target.value; });
$("lines").addEventListener("click", (event) => {
  const line = event.target.closest(".at")?.closest(".seg");
  if (line) document.dispatchEvent(new CustomEvent("session:seek", { detail: { seconds: Number(line.dataset.start), segment: line.id } }));
});
document.addEventListener("click", (event) => {
  const jump = event.target.closest("[data-seek]"); // a link to a time, in a panel of another app
  if (jump) document.dispatchEvent(new CustomEvent("session:seek", { detail: { seconds: Number(jump.dataset.seek), segment: jump.hash?.slice(1) } }));
});
document.addEventListener("session:seek", ({ detail }) => {
  strip.moveHead(detail.seconds);
  transcript.mark(detail.seconds);
});
document.addEventListener("session:time", ({ detail }) => {
  strip.moveHead(detail.seconds);
  transcript.mark(detail.seconds, detail.heard);
});
if (location.hash) {
  const wanted = $(location.hash.slice(1));
  if (wanted?.classList.contains("seg")) transcript.reveal(wanted);
}

let started = data.started ? Date.parse(data.started) : 0;
let words = Number($("fact-words").textContent.replace(/\D/g, "")) || 0;

function showStatus(state) {
  const badge = $("status");
  if (state.status === "active") {
    badge.className = "badge live";
    if (!$("live-clock")) {
      const time = document.createElement("span");
      time.id = "live-clock";
      badge.replaceChildren("Live ", time);
    }
  } else {
    badge.className = state.status === "created" ? "badge warn" : "badge";
    badge.textContent = state.status[0].toUpperCase() + state.status.slice(1);
  }
  data.status = state.status;
  if (state.status === "active" && !started) started = Date.now() - state.duration * 1000;
  if (state.status === "active") $("no-lines-heading").textContent = "Listening…";
  const ended = state.status === "ended";
  if (ended) listening?.callEnded();
  if ($("end-form")) $("end-form").hidden = ended;
  if ($("erase-form")) $("erase-form").hidden = !ended;
  $("draining").hidden = !ended || state.complete;
  if (state.complete && !$("lines").children.length) $("no-lines-heading").textContent = "Nothing was said";
  grow(state.duration);
}

function grow(duration) {
  strip.grow(duration);
  $("fact-duration").textContent = clock(strip.duration + 0.5);
}

setInterval(() => {
  if (data.status === "active" && started && $("live-clock")) {
    $("live-clock").textContent = clock((Date.now() - started) / 1000);
  }
}, 500);

if (data.final !== "yes") {
  if (data.status !== "ended") transcript.scrollToEnd();
  let last = "";
  new Live(data.id, Number(data.latest), {
    opened({ started_at }) {
      if (started_at) started = Date.parse(started_at);
      transcript.dropPartials();
      $("connection").hidden = true;
    },
    segment(segment) {
      if (!transcript.segment(segment)) return;
      strip.add(segment);
      grow(segment.end_time);
      words += segment.text.split(/\s+/).filter(Boolean).length;
      $("fact-words").textContent = words.toLocaleString("en");
      if (search.input.value) search.run({ stay: true });
    },
    partial: (partial) => transcript.partial(partial),
    translation: ({ segment_id, text }) => transcript.translation(segment_id, text),
    subtitle: ({ segment_id, text }) => transcript.subtitle(segment_id, text),
    untranslated: ({ segment_id }) => transcript.untranslated(segment_id),
    interrupted: ({ segment_ids }) => { for (const id of segment_ids) transcript.interrupted(id); },
    state(state) {
      showStatus(state);
      const now = `${state.status} ${state.complete}`;
      if (last && last !== now && state.status === "ended") htmx.trigger(document.body, "session-changed");
      last = now;
    },
    lost() { $("connection").hidden = false; },
    stopped(code) {
      $("connection").hidden = true;
      transcript.dropPartials();
      if (code !== 1000) toast("The live view has stopped: you no longer have access to this call. Sign in again.", "bad");
    },
  });
}
