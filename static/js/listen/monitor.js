// The connection for a live call's audio, and its player.

const SAMPLE_RATE = 16000; // as the server sends it
const PARTIES = ["agent", "customer"];
const RETRY = [500, 1000, 2000, 4000, 8000];
const FINAL_CODES = new Set([1000, 1013, 4401, 4403, 4404]);
const CONFIRM_EVERY = 16 * 1024; // bytes

export class Monitor {
  /** handlers: state({status, paused}), heard(party), levels({agent, customer}), lost(), ended(code). */
  constructor(sessionId, handlers) {
    Object.assign(this, { sessionId, handlers, tries: 0, over: false });
    // Created in the click handler: browsers allow sound only after a click.
    this.context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
  }

  async start() {
    if (!this.context.audioWorklet) throw new Error("Browsers allow this on HTTPS pages and on localhost only.");
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
    this.received = this.confirmed = 0;
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
    // Confirm what was received: the server sends no more than a limit without it.
    this.received += data.byteLength;
    if (this.received - this.confirmed >= CONFIRM_EVERY) {
      this.confirmed = this.received;
      this.socket.send(String(this.received));
    }
    this.handlers.heard(party);
    this.node.port.postMessage({ party, audio: data }, [data]);
  }

  closed(code) {
    if (this.over) return;
    this.clear();
    if (FINAL_CODES.has(code)) {
      this.stop();
      this.handlers.ended(code);
      return;
    }
    this.handlers.lost();
    const wait = RETRY[Math.min(this.tries++, RETRY.length - 1)] * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.open(), wait);
  }

  /** Drops audio that has come and was not played. */
  clear() {
    this.node.port.postMessage({ clear: true });
  }

  /** Plays the agent left and the customer right, or both on both sides. */
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
