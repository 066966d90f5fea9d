// Plays the speech that the server sends to this party: one piece after another, without gaps.
// The other party's own voice (`original`) may lie beneath a translation, so it has a queue of its own.

const DECODERS = {
  pcm_s16le: (bytes) => Float32Array.from(new Int16Array(bytes.buffer, 0, bytes.length >> 1), (v) => v / 32768),
  mulaw: (bytes) => Float32Array.from(bytes, mulaw),
  alaw: (bytes) => Float32Array.from(bytes, alaw),
};

// ITU-T G.711.
function mulaw(byte) {
  const inverted = ~byte & 0xff;
  const magnitude = ((((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 0x07)) - 0x84;
  return (inverted & 0x80 ? -magnitude : magnitude) / 32768;
}

function alaw(byte) {
  const value = byte ^ 0x55;
  const exponent = (value >> 4) & 0x07;
  let magnitude = ((value & 0x0f) << 4) + 8;
  if (exponent) magnitude = (magnitude + 0x100) << (exponent - 1);
  return (value & 0x80 ? magnitude : -magnitude) / 32768;
}

export class Speaker {
  constructor() {
    this.context = new AudioContext();
    this.spoken = new Queue(this.context);
    this.original = new Queue(this.context);
  }

  play({ audio: { encoding, sample_rate_hz: rate, payload }, segment_id: segment, original }) {
    const decode = DECODERS[encoding];
    if (!decode) return;
    const samples = decode(Uint8Array.from(atob(payload), (c) => c.charCodeAt(0)));
    if (!samples.length) return;
    const buffer = this.context.createBuffer(1, samples.length, rate);
    buffer.copyToChannel(samples, 0);
    (original ? this.original : this.spoken).add(buffer, segment);
  }

  /** Drops what has not been played of a segment; without one, everything. */
  clear(segment) {
    this.spoken.clear(segment);
    this.original.clear(segment);
  }

  close() {
    return this.context.close();
  }
}

class Queue {
  constructor(context) {
    this.context = context;
    this.free = 0; // when the queued audio ends, in seconds of the context
    this.sources = new Map(); // source -> segment
  }

  add(buffer, segment) {
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.addEventListener("ended", () => this.sources.delete(source));
    this.sources.set(source, segment);
    this.free = Math.max(this.free, this.context.currentTime + 0.05);
    source.start(this.free);
    this.free += buffer.duration;
  }

  clear(segment) {
    for (const [source, of] of this.sources) {
      if (segment && of !== segment) continue;
      source.stop();
      this.sources.delete(source);
    }
    if (!this.sources.size) this.free = 0;
  }
}
