// The call as it goes on. After a lost connection it asks for what came after the last line it has.

const RETRY = [500, 1000, 2000, 4000, 8000];
const FOR_GOOD = new Set([1000, 4401, 4403, 4404]);

export class Live {
  /** handlers: segment, partial, translation, state, opened, lost, stopped(code). */
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
    this.socket.addEventListener("message", (event) => this.hear(JSON.parse(event.data)));
    this.socket.addEventListener("close", (event) => this.closed(event.code));
  }

  hear(message) {
    if (message.type === "hello") {
      this.tries = 0;
      this.handlers.opened(message);
    }
    // Lines come in the order of their sequence: everything up to the latest one is here.
    if (message.type === "segment") this.latest = Math.max(this.latest, message.sequence);
    this.handlers[message.type]?.(message);
  }

  closed(code) {
    if (FOR_GOOD.has(code)) {
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
