"""Running Whisper on this machine: model files, queue, child process, decoding and its guards."""
