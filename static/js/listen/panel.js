// Listening in on a session's page: the button, and the panel with state and levels.
import { Monitor } from "./monitor.js";

const STATES = {
  connecting: ["busy", "Connecting", "Connecting…"],
  waiting: ["busy", "Waiting", "The call has not begun. You will hear it when it begins."],
  listening: ["live", "Live", "You hear the call live. Nobody hears you."],
  paused: ["warn", "Paused", "The recording of this call is paused. You hear nothing until it resumes."],
  reconnecting: ["warn", "Reconnecting", "The connection was lost. Reconnecting…"],
  ended: ["", "Ended", "The call has ended."],
  failed: ["bad", "Stopped", ""],
};
const CLOSE_REASONS = {
  1013: "Too many people are listening in on this server. Try again in a moment.",
  4401: "Stopped: you are no longer signed in.",
  4403: "Stopped: you are not allowed to listen in on calls.",
  4404: "Stopped: you no longer have access to this call.",
};
const LOUD = 0.02; // of full scale
const TALKING = 600; // milliseconds after the last loud audio in which a party counts as talking
const AWAY = 2000; // milliseconds without audio
const PARTY_STATES = { talking: "talking", silent: "silent", away: "no audio" };
const KEY = "listen-in-apart";

const $ = (id) => document.getElementById(id);

/** Null without a button: the person may not listen in, or the call has ended. */
export function listenIn(sessionId) {
  return $("listen") ? new ListenIn(sessionId) : null;
}

class ListenIn {
  constructor(sessionId) {
    Object.assign(this, { sessionId, monitor: null, button: $("listen"), panel: $("listen-panel"), ears: $("listen-ears") });
    this.ears.value = localStorage.getItem(KEY) === "yes" ? "apart" : "both";
    this.button.addEventListener("click", () => (this.monitor ? this.stop() : this.start()));
    this.ears.addEventListener("change", () => {
      localStorage.setItem(KEY, this.ears.value === "apart" ? "yes" : "no");
      this.monitor?.keepApart(this.ears.value === "apart");
    });
  }

  async start() {
    this.parties = { agent: { came: 0, loud: 0 }, customer: { came: 0, loud: 0 } };
    this.show("connecting");
    this.labelButton("Stop listening");
    let monitor;
    try {
      monitor = this.monitor = new Monitor(this.sessionId, {
        state: (state) => this.show(state.paused ? "paused" : { created: "waiting", active: "listening" }[state.status] ?? "ended"),
        heard: (party) => this.heard(party),
        levels: (levels) => this.levels(levels),
        lost: () => this.show("reconnecting"),
        ended: (code) => this.ended(code),
      });
      monitor.keepApart(this.ears.value === "apart");
      await monitor.start();
    } catch (error) {
      if (this.monitor !== monitor) return; // stopped while it was starting
      monitor?.stop();
      this.over("failed", error.message);
    }
  }

  stop() {
    this.monitor.stop();
    this.monitor = null;
    this.labelButton("Listen in");
    this.panel.hidden = true;
  }

  ended(code) {
    if (code === 1000) this.callEnded();
    else this.over("failed", CLOSE_REASONS[code]);
  }

  /** The page may know of the end before the audio's connection does. */
  callEnded() {
    if (this.monitor) {
      this.monitor.stop();
      this.over("ended");
    }
    // Move the focus before hiding the focused button, so that keyboard users keep their place.
    if (document.activeElement === this.button && !this.panel.hidden) this.panel.focus();
    this.button.hidden = true;
  }

  over(state, text) {
    this.monitor = null;
    this.levels({ agent: 0, customer: 0 });
    this.show(state, text);
    this.labelButton("Listen in");
  }

  labelButton(text) {
    $("listen-label").textContent = text;
  }

  show(state, text = STATES[state][2]) {
    const [tone, label] = STATES[state];
    this.panel.hidden = false;
    this.panel.dataset.state = state;
    $("listen-badge").className = `badge ${tone}`.trim();
    $("listen-badge").textContent = label;
    if ($("listen-status").textContent !== text) $("listen-status").textContent = text;
  }

  heard(party) {
    this.parties[party].came = performance.now();
    if (this.panel.dataset.state === "waiting") this.show("listening");
  }

  levels(levels) {
    const now = performance.now();
    for (const [party, known] of Object.entries(this.parties)) {
      if (levels[party] > LOUD) known.loud = now;
      const talking = known.loud && now - known.loud < TALKING;
      const state = talking ? "talking" : known.came && now - known.came < AWAY ? "silent" : "away";
      const shown = $(`listen-${party}`);
      if (shown.dataset.state !== state) {
        shown.dataset.state = state;
        shown.querySelector(".party-state").textContent = PARTY_STATES[state];
      }
      // Loudness is not linear: half of full scale is loud, a hundredth is still speech.
      shown.querySelector("meter").value = Math.sqrt(levels[party]);
    }
  }
}
