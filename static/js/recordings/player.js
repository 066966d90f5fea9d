// <recording-player>: two channels as waveforms. It uses two events on document:
// "session:seek" {seconds} plays from there; "session:time" {seconds} is sent while it plays.
import WaveSurfer from "../../vendor/wavesurfer-7.12.12/wavesurfer.esm.js";

const STEP = 5, LEAP = 10; // seconds
const SPEED = "kallglot-speed";

function clock(seconds) {
  const whole = Math.floor(seconds), minutes = Math.floor(whole / 60);
  const pad = (number) => String(number).padStart(2, "0");
  return minutes < 60 ? `${pad(minutes)}:${pad(whole % 60)}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

class RecordingPlayer extends HTMLElement {
  connectedCallback() {
    this.stopping = new AbortController();
    this.wave = this.querySelector(".wave");
    this.button = this.querySelector(".play");
    this.speed = this.querySelector(".speed");
    this.now = this.querySelector(".now");
    this.duration = Number(this.dataset.duration);
    const peaks = JSON.parse(document.getElementById(this.dataset.peaks).textContent);
    this.player = WaveSurfer.create({
      container: this.wave,
      url: this.dataset.url,
      duration: this.duration,
      peaks: peaks.map((bars) => (bars.length ? bars : [0]).map((bar) => bar / 100)),
      cspNonce: document.getElementById("session")?.dataset.styleNonce,
      barWidth: 2, barGap: 1, barRadius: 2, cursorWidth: 2,
      dragToSeek: true, normalize: false,
      ...this.colours(),
    });
    this.listen();
    const kept = localStorage.getItem(SPEED);
    if (kept && [...this.speed.options].some((option) => option.value === kept)) this.speed.value = kept;
    this.setSpeed();
  }

  disconnectedCallback() {
    this.stopping.abort();
    this.player?.destroy();
  }

  colours() {
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim();
    const channel = (name) => ({ waveColor: `color-mix(in srgb, ${token(name)} 45%, ${token("--panel")})`, progressColor: token(name), height: 44 });
    return { cursorColor: token("--ink"), splitChannels: [channel("--agent"), channel("--customer")] };
  }

  listen() {
    const options = { signal: this.stopping.signal };
    const player = this.player;
    player.on("timeupdate", (seconds) => this.showTime(seconds));
    player.on("interaction", (seconds) => this.showTime(seconds));
    for (const event of ["play", "pause", "finish"]) player.on(event, () => this.showState());
    player.on("error", () => { this.querySelector(".player-problem").hidden = false; });
    this.button.addEventListener("click", () => this.toggle(), options);
    this.speed.addEventListener("change", () => this.setSpeed(), options);
    this.wave.addEventListener("keydown", (event) => this.onKey(event), options);
    document.addEventListener("keydown", (event) => this.onPageKey(event), options);
    document.addEventListener("session:seek", ({ detail }) => this.playFrom(detail.seconds), options);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => player.setOptions(this.colours()), options);
    const theme = new MutationObserver(() => player.setOptions(this.colours()));
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    this.stopping.signal.addEventListener("abort", () => theme.disconnect());
  }

  playFrom(seconds) {
    this.moveTo(seconds);
    this.player.play().catch(() => {}); // the browser may want a click first; the position holds
  }

  toggle() {
    this.player.playPause().catch(() => {});
  }

  moveTo(seconds) {
    const bounded = Math.min(Math.max(seconds, 0), this.duration);
    this.player.setTime(bounded);
    this.showTime(bounded);
  }

  setSpeed() {
    this.player.setPlaybackRate(Number(this.speed.value), true);
    localStorage.setItem(SPEED, this.speed.value);
  }

  changeSpeed(by) {
    const index = Math.min(Math.max(this.speed.selectedIndex + by, 0), this.speed.options.length - 1);
    this.speed.selectedIndex = index;
    this.setSpeed();
  }

  showTime(seconds) {
    this.now.textContent = clock(seconds);
    this.wave.setAttribute("aria-valuenow", Math.round(seconds));
    this.wave.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(this.duration + 0.5)}`);
    if (seconds > 0 || this.player.isPlaying()) document.dispatchEvent(new CustomEvent("session:time", { detail: { seconds } }));
  }

  showState() {
    const playing = this.player.isPlaying();
    this.toggleAttribute("playing", playing);
    this.button.setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.player.getCurrentTime();
    const actions = {
      " ": () => this.toggle(),
      Enter: () => this.toggle(),
      ArrowLeft: () => this.moveTo(at - STEP),
      ArrowDown: () => this.moveTo(at - STEP),
      ArrowRight: () => this.moveTo(at + STEP),
      ArrowUp: () => this.moveTo(at + STEP),
      PageDown: () => this.moveTo(at - LEAP),
      PageUp: () => this.moveTo(at + LEAP),
      Home: () => this.moveTo(0),
      End: () => this.moveTo(this.duration),
    };
    this.perform(actions, event);
  }

  // Keys for the whole page, except while the person types.
  onPageKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog")) return;
    const at = this.player.getCurrentTime();
    this.perform({
      k: () => this.toggle(),
      j: () => this.moveTo(at - LEAP),
      l: () => this.moveTo(at + LEAP),
      "<": () => this.changeSpeed(-1),
      ">": () => this.changeSpeed(1),
    }, event);
  }

  perform(actions, event) {
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  }
}

if (!customElements.get("recording-player")) customElements.define("recording-player", RecordingPlayer);
