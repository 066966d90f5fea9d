// Runs in the audio thread: plays each party with a short delay, a jitter buffer for audio that arrives
// unevenly, and reports the level of each party as it is played.

const LEAD = 0.2; // seconds that audio waits before it is played
const LONGER = 0.05; // seconds added to that delay after audio came too late
const LONGEST_LEAD = 0.6;
const PAUSE = 0.5; // seconds without audio after which the party counts as not sending
const SPARE = 0.4; // seconds that may wait beyond the delay; more is dropped to stay live
const LEVELS = 20; // a second

class Party {
  constructor() {
    this.peak = 0;
    this.lead = LEAD;
    this.ranDry = -Infinity;
    this.clear();
  }

  clear() {
    this.chunks = [];
    this.at = 0; // place in the first chunk
    this.waiting = 0;
    this.longest = 0;
    this.begins = Infinity; // the frame of the context at which the first chunk is played
  }

  push(samples) {
    if (!this.chunks.length) {
      if (currentFrame - this.ranDry < PAUSE * sampleRate) this.lead = Math.min(this.lead + LONGER, LONGEST_LEAD);
      this.begins = currentFrame + this.lead * sampleRate;
    }
    this.chunks.push(samples);
    this.waiting += samples.length;
    this.longest = Math.max(this.longest, samples.length);
    const steady = this.lead * sampleRate + this.longest;
    if (this.waiting > steady + SPARE * sampleRate) this.skip(this.waiting - steady);
  }

  skip(count) {
    while (count > 0 && this.chunks.length) count -= this.take(count, () => {});
  }

  /** Up to `count` samples of the first chunk. Returns how many. */
  take(count, use) {
    const [chunk] = this.chunks;
    const taken = Math.min(Math.ceil(count), chunk.length - this.at);
    use(chunk, this.at, taken);
    this.at += taken;
    this.waiting -= taken;
    if (this.at === chunk.length) {
      this.chunks.shift();
      this.at = 0;
    }
    return taken;
  }

  /** Adds what is to be heard now to each of `outputs`. */
  play(outputs) {
    if (currentFrame < this.begins) return;
    const size = outputs[0].length;
    let filled = 0;
    while (filled < size && this.chunks.length) {
      filled += this.take(size - filled, (chunk, from, count) => {
        for (let i = 0; i < count; i++) {
          const sample = chunk[from + i] / 32768;
          this.peak = Math.max(this.peak, Math.abs(sample));
          for (const output of outputs) output[filled + i] += sample;
        }
      });
    }
    if (this.chunks.length) return;
    this.clear();
    this.ranDry = currentFrame;
  }

  level() {
    const { peak } = this;
    this.peak = 0;
    return peak;
  }
}

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.agent = new Party();
    this.customer = new Party();
    this.apart = false;
    this.told = 0;
    this.port.onmessage = ({ data }) => {
      if (data.audio) this[data.party].push(new Int16Array(data.audio, 2));
      if (data.clear) for (const party of [this.agent, this.customer]) party.clear();
      if ("apart" in data) this.apart = data.apart;
    };
  }

  process(inputs, [[left, right]]) {
    this.agent.play(this.apart ? [left] : [left, right]);
    this.customer.play(this.apart ? [right] : [left, right]);
    if (currentFrame - this.told >= sampleRate / LEVELS) {
      this.told = currentFrame;
      this.port.postMessage({ agent: this.agent.level(), customer: this.customer.level() });
    }
    return true;
  }
}

registerProcessor("playback", Playback);
