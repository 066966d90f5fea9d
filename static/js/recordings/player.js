// <recording-player>: two channels as waveforms. Of a translated call it plays either what the
// parties said or what they heard translated. It uses two events on document:
// "session:seek" {seconds, segment} plays that line (else from that time); "session:time"
// {seconds, heard} is sent while it plays, with the ids of the lines heard in translation.
import WaveSurfer from "../../vendor/wavesurfer-7.12.12/wavesurfer.esm.js";

const STEP = 5, LEAP = 10; // seconds
const SPEED = "kallglot-speed";
const DRIFT = 0.15; // seconds that two files played side by side may be apart

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
    const data = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
    const bars = (peaks) => peaks.map((channel) => (channel.length ? channel : [0]).map((bar) => bar / 100));
    const translations = data("recording-translations");
    this.versions = { original: { urls: [this.dataset.url], peaks: bars(data(this.dataset.peaks)) } };
    if (translations) this.versions.translated = { ...translations, peaks: bars(translations.peaks) };
    this.version = this.versions.original;
    this.player = WaveSurfer.create({
      container: this.wave,
      url: this.dataset.url,
      duration: this.duration,
      peaks: this.version.peaks,
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
    this.beside?.pause();
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
    for (const event of ["play", "pause", "seeking", "timeupdate"]) player.on(event, () => this.keepBeside(event));
    for (const button of this.querySelectorAll(".segmented button")) {
      button.addEventListener("click", () => this.listenTo(button.value), options);
    }
    player.on("error", () => this.showProblem());
    this.button.addEventListener("click", () => this.toggle(), options);
    this.speed.addEventListener("change", () => this.setSpeed(), options);
    this.wave.addEventListener("keydown", (event) => this.onKey(event), options);
    document.addEventListener("keydown", (event) => this.onPageKey(event), options);
    document.addEventListener("session:seek", ({ detail }) => this.playFrom(this.version.spoken?.[detail.segment]?.[0] ?? detail.seconds), options);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", () => player.setOptions(this.colours()), options);
    const theme = new MutationObserver(() => player.setOptions(this.colours()));
    theme.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    this.stopping.signal.addEventListener("abort", () => theme.disconnect());
  }

  // Goes on at the same time in the other version.
  async listenTo(name) {
    const version = this.versions[name];
    if (!version || version === this.version) return;
    const at = this.player.getCurrentTime(), playing = this.player.isPlaying();
    this.version = version;
    for (const button of this.querySelectorAll(".segmented button")) {
      button.setAttribute("aria-pressed", String(button.value === name));
    }
    this.player.pause();
    // The parties' translations are two files: the second plays beside the player's own.
    this.beside?.pause(); // the player's own event of the pause comes later, for the next one
    this.beside = version.urls[1] ? new Audio(version.urls[1]) : null;
    this.beside?.addEventListener("error", () => this.showProblem());
    await this.player.load(version.urls[0], version.peaks, this.duration);
    if (this.version !== version) return; // switched back meanwhile
    this.setSpeed();
    this.moveTo(at);
    if (playing) this.player.play().catch(() => {});
  }

  keepBeside(event) {
    const beside = this.beside;
    if (!beside) return;
    const at = this.player.getCurrentTime(), playing = this.player.isPlaying();
    const drifted = !beside.seeking && Math.abs(beside.currentTime - at) > DRIFT;
    if (event !== "timeupdate" || drifted) beside.currentTime = at;
    beside.playbackRate = Number(this.speed.value);
    if (playing && beside.paused && !beside.ended) beside.play().catch(() => {});
    if (!playing) beside.pause();
  }

  // The lines whose translation is heard at that time, those that began last at the end.
  heardAt(seconds) {
    const heard = Object.entries(this.version.spoken).filter(([, [from, to]]) => from <= seconds && seconds < to + 0.3);
    return heard.sort(([, a], [, b]) => a[0] - b[0]).map(([id]) => id);
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
    const heard = this.version.spoken && this.heardAt(seconds);
    if (seconds > 0 || this.player.isPlaying()) document.dispatchEvent(new CustomEvent("session:time", { detail: { seconds, heard } }));
  }

  showProblem() {
    this.querySelector(".player-problem").hidden = false;
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
      ...(this.versions.translated && { t: () => this.listenTo(this.version === this.versions.original ? "translated" : "original") }),
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
