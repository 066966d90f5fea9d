// One party's connection to the call, by the streaming protocol. It reconnects with a fresh token.

const RETRY = [300, 800, 2000, 4000, 8000];
const KEPT_FRAMES = 100; // ten seconds of speech are kept while the connection is lost; older audio is dropped
const BACKLOG = 512 * 1024; // bytes that the browser may hold unsent
const FINAL_CODES = new Set([1000, 4400, 4404, 4409, 4410, 4413, 4429]); // docs/streaming.md: do not connect again
const LONGEST_DRAIN = 120_000; // milliseconds after hanging up in which the server sends the last finals

export class Connection {
  /**
   * handlers: message(object), opened(ready), lost(), ended(code, reason).
   * `freshAccess` fetches {stream_url, token, side}; its error says `final` if there is no more access.
   */
  constructor(access, freshAccess, rate, handlers) {
    Object.assign(this, { freshAccess, rate, handlers, waiting: [], tries: 0, ready: false, hungUp: false, over: false });
    this.open(access);
  }

  open({ stream_url: url, token, side }) {
    // Browsers cannot set headers on a WebSocket. The token in the address is valid for minutes.
    const socket = new WebSocket(`${url}?token=${encodeURIComponent(token)}&speaker=${side}`);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => this.describeAudio());
    socket.addEventListener("message", ({ data }) => this.received(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => this.closed(code));
    this.socket = socket;
  }

  received(message) {
    if (message.type === "session.ready") {
      this.ready = true;
      this.tries = 0;
      for (const frame of this.waiting.splice(0)) this.socket.send(frame);
      if (this.hungUp) this.sendEnd();
      this.handlers.opened(message);
    }
    // The session has ended, for both parties. The server sends the last finals and then closes.
    if (message.type === "session.ended") {
      this.ended = true;
      this.waitForClose();
    }
    this.handlers.message(message);
  }

  /** The format of the frames that follow. Send it again when the microphone changes. */
  describeAudio(rate = this.rate) {
    this.rate = rate;
    this.control({ type: "audio.start", audio: { encoding: "pcm_s16le", sample_rate_hz: rate, channels: 1 } });
  }

  frame(samples) {
    if (this.hungUp || this.ended || this.over) return;
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
    if (this.over) return;
    if (this.ended || FINAL_CODES.has(code)) {
      this.finish(code);
      return;
    }
    this.handlers.lost();
    setTimeout(() => this.reopen(), RETRY[Math.min(this.tries++, RETRY.length - 1)]);
  }

  async reopen() {
    if (this.over) return;
    let access;
    try {
      access = await this.freshAccess();
    } catch (error) {
      if (error.final) this.finish(4409, error.message);
      else this.closed(1006);
      return;
    }
    if (!this.over) this.open(access);
  }

  /** Ends the call, now or as soon as the lost connection is back. The server closes the connection. */
  hangUp() {
    this.hungUp = true;
    if (this.ready) this.sendEnd();
    this.waitForClose();
  }

  sendEnd() {
    this.control({ type: "session.end", reason: "completed" });
  }

  waitForClose() {
    this.drain ??= setTimeout(() => this.finish(1006), LONGEST_DRAIN);
  }

  finish(code, reason) {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.drain);
    this.socket.close(1000);
    this.handlers.ended(code, reason);
  }
}
