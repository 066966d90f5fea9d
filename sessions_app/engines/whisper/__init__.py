"""Whisper on this machine: model files, request queue, child process, decoding, hallucinations."""
