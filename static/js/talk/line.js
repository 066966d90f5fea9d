// The connection of one side: the product's own protocol, kept up across broken networks.

const RETRY = [300, 800, 2000, 4000, 8000];
const KEPT_FRAMES = 100; // ten seconds of speech wait for the connection; older ones are dropped
const BACKLOG = 512 * 1024; // bytes that the browser may hold unsent
const FOR_GOOD = new Set([1000, 4404, 4409, 4410, 4429]);

export class Line {
  /** handlers: message(object), opened(), lost(), ended(code). `freshWayIn` fetches {stream_url, token, side}. */
  constructor(wayIn, freshWayIn, rate, handlers) {
    Object.assign(this, { freshWayIn, rate, handlers, waiting: [], tries: 0, ready: false, over: false });
    this.open(wayIn);
  }

  open({ stream_url: url, token, side }) {
    // Browsers cannot set headers on a WebSocket: the token travels in the address, for minutes.
    this.socket = new WebSocket(`${url}?token=${encodeURIComponent(token)}&speaker=${side}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => {
      this.control({ type: "audio.start", audio: { encoding: "pcm_s16le", sample_rate_hz: this.rate, channels: 1 } });
    });
    this.socket.addEventListener("message", ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "session.ready") {
        this.ready = true;
        this.tries = 0;
        for (const frame of this.waiting.splice(0)) this.socket.send(frame);
        this.handlers.opened(message);
      }
      this.handlers.message(message);
    });
    this.socket.addEventListener("close", ({ code }) => this.closed(code));
  }

  frame(samples) {
    if (this.over) return;
    if (this.ready && this.socket.bufferedAmount < BACKLOG) {
      this.socket.send(samples);
    } else {
      this.waiting.push(samples);
      if (this.waiting.length > KEPT_FRAMES) this.waiting.shift();
    }
  }

  control(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  closed(code) {
    this.ready = false;
    if (this.over || FOR_GOOD.has(code)) {
      this.over = true;
      this.handlers.ended(code);
      return;
    }
    this.handlers.lost();
    setTimeout(() => this.reopen(), RETRY[Math.min(this.tries++, RETRY.length - 1)]);
  }

  async reopen() {
    try {
      this.open(await this.freshWayIn());
    } catch (error) {
      this.closed(error.final ? 4409 : 1006);
    }
  }

  hangUp() {
    this.control({ type: "session.end", reason: "completed" });
    setTimeout(() => this.socket.close(1000), 3000);
  }
}
