// The live transcript. After a lost connection it requests the lines after the last one it has.

const RETRY = [500, 1000, 2000, 4000, 8000];
const FINAL_CODES = new Set([1000, 4401, 4403, 4404]);

export class Live {
  /** handlers: segment, partial, translation, subtitle, untranslated, interrupted, state, opened, lost, stopped(code). */
  constructor(sessionId, latest, handlers) {
    Object.assign(this, { sessionId, latest, handlers, tries: 0 });
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(
      `${scheme}://${location.host}/dashboard/sessions/${this.sessionId}/live?after=${this.latest}`,
    );
    this.socket.addEventListener("message", (event) => this.received(JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.closed(event.code));
  }

  received(message) {
    if (message.type === "hello") {
      this.tries = 0;
      this.handlers.opened(message);
    }
    // Lines come in order of their sequence, so all lines before this one have come.
    if (message.type === "segment") this.latest = Math.max(this.latest, message.sequence);
    this.handlers[message.type]?.(message);
  }

  closed(code) {
    if (FINAL_CODES.has(code)) {
      this.handlers.stopped(code);
      return;
    }
    this.handlers.lost();
    const wait = RETRY[Math.min(this.tries++, RETRY.length - 1)] * (0.75 + Math.random() / 2);
    this.timer = setTimeout(() => this.open(), wait);
  }

  retryNow() {
    if (this.socket.readyState !== WebSocket.CLOSED || !this.timer) return;
    clearTimeout(this.timer);
    this.timer = null;
    this.open();
  }
}
