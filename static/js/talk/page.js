// A call in the browser: the page for staff, and the page for the customer who has the link.
import { Transcript } from "../session/transcript.js";
import { clock, copy, toast } from "../ui.js";
import { Connection } from "./connection.js";
import { Microphone } from "./microphone.js";
import { Speaker } from "./speaker.js";

const $ = (id) => document.getElementById(id);
const page = $("talk");
const transcript = new Transcript($("lines"), $("line"));
const LAST_WORDS = 60; // times that the page asks whether the transcript is complete, every two seconds
const EARLY_FRAMES = 100; // ten seconds, as many as the connection keeps
const TOLD_WARNINGS = new Set(["translation_unavailable", "speech_unavailable"]); // the others are for programs
let microphone, connection, speaker, access, began, wakeLock;

async function post(url, body) {
  const response = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": page.dataset.csrf } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw Object.assign(new Error(answer.problem ?? `The server answered ${response.status}.`), { final: [403, 404, 410].includes(response.status) });
  }
  return answer;
}

const MICROPHONE_ERRORS = {
  NotAllowedError: "The browser blocked the microphone. Allow it in the address bar and try again.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "Another program is using the microphone.",
  TimeoutError: "The browser did not start its audio. Connect headphones or a loudspeaker and try again.",
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

/** A translated call is in languages that can be translated. */
function offerLanguages() {
  const translated = $("id_mode").value !== "transcription";
  for (const group of document.querySelectorAll('#talk-form optgroup[label="Transcribed only"]')) {
    group.hidden = group.disabled = translated;
    if (translated && group.querySelector(":checked")) group.parentElement.value = "";
  }
}

async function start() {
  const early = []; // what is said before the session is there
  $("problem").hidden = true;
  show("starting");
  try {
    if (!navigator.mediaDevices) throw new Error("Browsers allow the microphone on HTTPS pages and on localhost only.");
    const heard = (frame) => { if (connection) connection.frame(frame); else if (early.length < EARLY_FRAMES) early.push(frame); };
    microphone = new Microphone({ onFrame: heard, onLevel: (peak) => { $("level").value = Math.sqrt(peak); } });
    await microphone.open($("device").value);
    listDevices();
    access = await post(page.dataset.start, page.dataset.form ? new FormData($(page.dataset.form)) : undefined);
  } catch (error) {
    await microphone?.close();
    $("problem").textContent = MICROPHONE_ERRORS[error.name] ?? error.message;
    $("problem").hidden = false;
    show("idle");
    return;
  }
  speaker = new Speaker();
  if ($("invitation")) $("invitation").value = access.invitation ?? "";
  if ($("session-link")) $("session-link").href = access.session_url ?? "#";
  connection = new Connection(access, () => post(access.token_url ?? page.dataset.start), microphone.rate, { message, opened, lost, ended });
  for (const frame of early) connection.frame(frame);
  // A phone whose screen turns off stops the microphone. Not every browser has this.
  navigator.wakeLock?.request("screen").then((lock) => { wakeLock = lock; }, () => {});
}

function opened({ resumed }) {
  began ??= Date.now();
  $("connection").hidden = true;
  if (microphone.muted) connection.control({ type: "session.control", action: "mute" });
  if (resumed) fetchTranscript(); // lines that were finished while the connection was lost
  if (!connection.hungUp) show("talking");
}

function lost() {
  transcript.dropPartials();
  $("connection").hidden = false;
}

/** Adds the lines that this page does not have yet. True once the transcript is complete. */
async function fetchTranscript() {
  if (!access.transcript_url) return true; // the customer's page gets lines over its connection only
  const response = await fetch(access.transcript_url);
  if (!response.ok) return response.status < 500;
  const { status, segments } = await response.json();
  for (const segment of segments) {
    transcript.segment({ ...segment, sequence: 1 });
    if (segment.translation) transcript.translation(segment.id, segment.translation);
    if (segment.interrupted) transcript.interrupted(segment.id);
  }
  return status === "complete";
}

async function ended(code, reason) {
  transcript.dropPartials();
  $("connection").hidden = true;
  await Promise.allSettled([microphone.close(), speaker.close(), wakeLock?.release()]);
  if (code === 4410) toast("You continued this call on another device.", "bad");
  else if (reason) toast(reason, "bad");
  show("ending");
  // After 4410 the call goes on: its transcript is not complete soon.
  for (let asked = 0; asked < (code === 4410 ? 1 : LAST_WORDS); asked++) {
    if (await fetchTranscript().catch(() => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  show("ended");
}

function message(received) {
  switch (received.type) {
    case "transcript.partial": transcript.partial(received); break;
    case "transcript.final": transcript.segment({ ...received, sequence: 1 }); break;
    case "translation.partial": transcript.subtitle(received.segment_id, received.text); break;
    case "translation.final": transcript.translation(received.segment_id, received.text); break;
    case "audio.output": speaker.play(received); break;
    case "audio.clear": speaker.clear(received.segment_id); break;
    case "translation.failed": transcript.untranslated(received.segment_id); break;
    case "session.warning": if (TOLD_WARNINGS.has(received.code)) toast(received.message, "bad"); break;
    case "session.error": toast(received.error?.message ?? "Something went wrong.", "bad"); break;
    case "session.ended": hungUp(); break;
  }
}

function hungUp() {
  microphone.close();
  show("ending");
}

$("start").addEventListener("click", start);
$("hang-up").addEventListener("click", () => { hungUp(); connection.hangUp(); });
$("mute").addEventListener("click", () => {
  const muted = !microphone.muted;
  microphone.mute(muted);
  connection.control({ type: "session.control", action: muted ? "mute" : "unmute" });
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute-label").textContent = muted ? "Unmute" : "Mute";
});
$("device").addEventListener("change", async (event) => {
  if (page.dataset.state !== "talking") return;
  const { muted } = microphone;
  await microphone.close();
  microphone = new Microphone({ onFrame: (frame) => connection.frame(frame), onLevel: (peak) => { $("level").value = Math.sqrt(peak); } });
  await microphone.open(event.target.value);
  microphone.mute(muted);
  connection.describeAudio(microphone.rate);
});
$("copy-invitation")?.addEventListener("click", () => copy($("invitation").value));
addEventListener("beforeunload", (event) => { if (page.dataset.state === "talking") event.preventDefault(); });
setInterval(() => { if (began && page.dataset.state === "talking") $("talk-clock").textContent = clock((Date.now() - began) / 1000); }, 500);
$("id_mode")?.addEventListener("change", offerLanguages);
if ($("id_mode")) offerLanguages();
if (navigator.mediaDevices) listDevices();
show("idle");
