// The connection that brings a running call's audio, and the player behind it.

const SAMPLE_RATE = 16000; // as the server sends it
const PARTIES = ["agent", "customer"];
const RETRY = [500, 1000, 2000, 4000, 8000];
const FOR_GOOD = new Set([1000, 1013, 4401, 4403, 4404]);
const TELL_EVERY = 16 * 1024; // bytes

export class Monitor {
  /** handlers: state({status, paused}), heard(party), levels({agent, customer}), lost(), ended(code). */
  constructor(sessionId, handlers) {
    Object.assign(this, { sessionId, handlers, tries: 0, over: false });
    // Made while the click is being handled: browsers let nothing else make a sound.
    this.context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
  }

  async start() {
    if (!this.context.audioWorklet) throw new Error("Browsers play this on HTTPS pages and localhost only.");
    await this.context.audioWorklet.addModule(new URL("playback.js", import.meta.url));
    if (this.over) return;
    this.node = new AudioWorkletNode(this.context, "playback", { numberOfInputs: 0, outputChannelCount: [2] });
    this.node.port.onmessage = ({ data }) => this.over || this.handlers.levels(data);
    this.node.connect(this.context.destination);
    this.keepApart(this.apart);
    await this.context.resume();
    this.open();
  }

  open() {
    if (this.over) return;
    this.taken = this.told = 0;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/dashboard/sessions/${this.sessionId}/listen`);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("message", ({ data }) => this.over || this.message(data));
    this.socket.addEventListener("close", ({ code }) => this.closed(code));
  }

  message(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type !== "state") return;
      this.tries = 0;
      if (message.paused || message.status === "ended") this.clear();
      this.handlers.state(message);
      return;
    }
    const party = PARTIES[new Uint8Array(data)[0]];
    // The server sends no more than the page takes: without this word it would stop.
    this.taken += data.byteLength;
    if (this.taken - this.told >= TELL_EVERY) {
      this.told = this.taken;
      this.socket.send(String(this.taken));
    }
    this.handlers.heard(party);
    this.node.port.postMessage({ party, audio: data }, [data]);
  }

  closed(code) {
    if (this.over) return;
    this.clear();
    if (FOR_GOOD.has(code)) {
      this.stop();
      this.handlers.ended(code);
      return;
    }
    this.handlers.lost();
    const wait = RETRY[Math.min(this.tries++, RETRY.length - 1)] * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.open(), wait);
  }

  /** Forget what has come and not been played. */
  clear() {
    this.node.port.postMessage({ clear: true });
  }

  /** The agent left and the customer right, or both on both sides. */
  keepApart(apart) {
    this.apart = apart;
    this.node?.port.postMessage({ apart });
  }

  stop() {
    this.over = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
    if (this.context.state !== "closed") this.context.close();
  }
}
