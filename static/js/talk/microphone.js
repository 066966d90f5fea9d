// The microphone: devices, level, mute, and frames of 16-bit PCM at a rate that the server accepts.

const WANTED_RATE = 16000;
const LONGEST_START = 5000; // milliseconds

export class Microphone {
  /** onFrame gets an ArrayBuffer of 100 ms, onLevel a peak from 0 to 1. */
  constructor({ onFrame, onLevel }) {
    Object.assign(this, { onFrame, onLevel, muted: false });
  }

  /** Asks for permission on first use. Throws what getUserMedia throws. */
  async open(deviceId) {
    this.stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        deviceId: deviceId ? { exact: deviceId } : undefined,
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
      },
    });
    try {
      this.context = new AudioContext({ sampleRate: WANTED_RATE });
      this.source = this.context.createMediaStreamSource(this.stream);
    } catch {
      // Some browsers do not resample a microphone. The server accepts any rate up to 48 kHz.
      await this.context?.close();
      this.context = new AudioContext();
      this.source = this.context.createMediaStreamSource(this.stream);
    }
    await this.context.audioWorklet.addModule(new URL("capture.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => {
      this.onLevel(this.muted ? 0 : data.peak);
      this.onFrame(data.samples);
    };
    this.source.connect(this.node);
    await this.begin();
  }

  /** Firefox waits for an output device, without an error and without end. */
  async begin() {
    const tooLong = new Promise((_, reject) => {
      setTimeout(() => reject(new DOMException("The audio did not start.", "TimeoutError")), LONGEST_START);
    });
    await Promise.race([this.context.resume(), tooLong]);
  }

  get rate() {
    return this.context.sampleRate;
  }

  /** A muted track gives silence, so that the call's timeline continues. */
  mute(muted) {
    this.muted = muted;
    for (const track of this.stream.getAudioTracks()) track.enabled = !muted;
  }

  /** Stops recording. It may be called again. */
  close() {
    this.node?.port.close();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    return (this.closing ??= this.context?.close());
  }

  static async devices() {
    const all = await navigator.mediaDevices.enumerateDevices();
    return all.filter((device) => device.kind === "audioinput");
  }
}
