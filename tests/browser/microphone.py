"""Browsers whose microphone plays a file, and speech for such files."""

import asyncio
import wave
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright

from kallglot_site.caller.audio import SAMPLE_RATE
from kallglot_site.caller.spoken import Line, call_speak
from sessions_app.media import decode
from tests.browser.conftest import ARGUMENTS


def speech_file(path: Path, text: str, speaker: str = "agent", language: str = "en") -> Path:
    """``text`` as a WAV file, spoken by the installation's synthesizer."""
    # In another thread, because Playwright's event loop runs in this one.
    with ThreadPoolExecutor(1) as thread:
        line = Line(speaker, text, language)
        spoken = thread.submit(lambda: asyncio.run(call_speak([line]))).result()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(decode(b"".join(spoken[speaker]), "mulaw").tobytes())
    return path


@contextmanager
def browser_with_microphone(
    playwright: Playwright, browser_path: str, speech: Path | None = None
) -> Iterator[Browser]:
    """A separate Chromium: the file is the microphone of all its pages. Without one, it beeps."""
    arguments = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    if speech is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={speech}%noloop")
    browser = playwright.chromium.launch(
        executable_path=browser_path, args=[*ARGUMENTS, *arguments]
    )
    try:
        yield browser
    finally:
        browser.close()
