// Talking in the browser, for both sides: the staff member's page and the one behind the link.
import { Transcript } from "../session/transcript.js";
import { clock, copy, toast } from "../ui.js";
import { Line } from "./line.js";
import { Microphone } from "./microphone.js";
import { Speaker } from "./speaker.js";

const $ = (id) => document.getElementById(id);
const page = $("talk");
const transcript = new Transcript($("lines"), $("line"));
let microphone, line, speaker, wayIn, began, wakeLock;

async function post(url, body) {
  const response = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": page.dataset.csrf } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw Object.assign(new Error(answer.problem ?? `The server answered ${response.status}.`), { final: [403, 404, 410].includes(response.status) });
  }
  return answer;
}

const REFUSED = {
  NotAllowedError: "The browser may not use the microphone. Allow it beside the address and try again.",
  NotFoundError: "There is no microphone.",
  NotReadableError: "Another program holds the microphone.",
};

function show(state) {
  page.dataset.state = state;
  for (const part of document.querySelectorAll("[data-when]")) {
    part.hidden = !part.dataset.when.split(" ").includes(state);
  }
}

async function listDevices() {
  const devices = await Microphone.devices();
  const chosen = $("device").value;
  $("device").replaceChildren(
    ...devices.map(({ deviceId, label }, at) => new Option(label || `Microphone ${at + 1}`, deviceId, false, deviceId === chosen)),
  );
  $("device-field").hidden = devices.length < 2;
}

async function start() {
  $("problem").hidden = true;
  show("starting");
  try {
    if (!navigator.mediaDevices) throw new Error("Browsers give the microphone to HTTPS pages and localhost only.");
    microphone = new Microphone({ onFrame: (frame) => line?.frame(frame), onLevel: (peak) => { $("level").value = Math.sqrt(peak); } });
    await microphone.open($("device").value);
    listDevices();
    wayIn = await post(page.dataset.start, page.dataset.form ? new FormData($(page.dataset.form)) : undefined);
  } catch (error) {
    await microphone?.close();
    $("problem").textContent = REFUSED[error.name] ?? error.message;
    $("problem").hidden = false;
    show("idle");
    return;
  }
  speaker = new Speaker();
  if ($("invitation")) $("invitation").value = wayIn.invitation ?? "";
  if ($("session-link")) $("session-link").href = wayIn.session_url ?? "#";
  line = new Line(wayIn, () => post(wayIn.token_url ?? page.dataset.start), microphone.rate, { message, opened, lost, ended });
  // A phone that falls asleep would fall silent too. Not every browser has this.
  navigator.wakeLock?.request("screen").then((lock) => { wakeLock = lock; }, () => {});
}

function opened() {
  began ??= Date.now();
  $("connection").hidden = true;
  if (microphone.muted) line.control({ type: "session.control", action: "mute" });
  show("talking");
}

function lost() {
  transcript.dropPartials();
  $("connection").hidden = false;
}

async function ended(code) {
  transcript.dropPartials();
  $("connection").hidden = true;
  await Promise.allSettled([microphone.close(), speaker.close(), wakeLock?.release()]);
  if (code === 4410) toast("This side of the call went on elsewhere.", "bad");
  if (code === 4401) toast("The call could not be joined: the link has expired.", "bad");
  show("ended");
}

function message(told) {
  switch (told.type) {
    case "transcript.partial": transcript.partial(told); break;
    case "transcript.final": transcript.segment({ ...told, sequence: 1 }); break;
    case "translation.final": transcript.translation(told.segment_id, told.text); break;
    case "audio.output": speaker.play(told.audio); break;
    case "session.error": toast(told.error?.message ?? "Something went wrong.", "bad"); break;
    case "session.ended": line.over = true; break;
  }
}

$("start").addEventListener("click", start);
$("hang-up").addEventListener("click", () => { show("ending"); line.hangUp(); });
$("mute").addEventListener("click", () => {
  const muted = !microphone.muted;
  microphone.mute(muted);
  line.control({ type: "session.control", action: muted ? "mute" : "unmute" });
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute-label").textContent = muted ? "Unmute" : "Mute";
});
$("device").addEventListener("change", async (event) => {
  if (!line || line.over) return;
  const { muted } = microphone;
  await microphone.close();
  microphone = new Microphone({ onFrame: (frame) => line.frame(frame), onLevel: (peak) => { $("level").value = Math.sqrt(peak); } });
  await microphone.open(event.target.value);
  microphone.mute(muted);
  line.rate = microphone.rate;
  line.control({ type: "audio.start", audio: { encoding: "pcm_s16le", sample_rate_hz: microphone.rate, channels: 1 } });
});
$("copy-invitation")?.addEventListener("click", () => copy($("invitation").value));
addEventListener("beforeunload", (event) => { if (page.dataset.state === "talking") event.preventDefault(); });
setInterval(() => { if (began && page.dataset.state === "talking") $("talk-clock").textContent = clock((Date.now() - began) / 1000); }, 500);
if (navigator.mediaDevices) listDevices();
show("idle");
