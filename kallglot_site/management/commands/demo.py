"""``manage.py demo``: play a synthesized call between two people to the server.

Where the installation translates between English and Spanish, the customer speaks Spanish.
"""

import asyncio
import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from kallglot_site.caller.access import api_key
from kallglot_site.caller.audio import file_of_frames, folder_make
from kallglot_site.caller.client import CallPlan
from kallglot_site.caller.errors import CallFailed
from kallglot_site.caller.spoken import SCRIPT, TRANSLATED_SCRIPT, call_speak
from kallglot_site.management.commands.call import call_play
from kallglot_site.operator_commands import ShortUsage, port
from kallglot_site.running import running_url
from sessions_app.capabilities import mode_require
from sessions_app.errors import FeatureNotAvailable, UnsupportedLanguagePair

TRANSCRIPTION = "transcription"
TRANSLATION = "bidirectional_translation"


class Command(ShortUsage):
    help = (
        "Play a synthesized call between two people and print its transcript as it grows. Starts a "
        "server if none runs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--port", type=port, help="port of the server that is started if none runs (8000)"
        )
        parser.add_argument(
            "--key", help="API key (default: KALLGLOT_API_KEY, else a temporary one)"
        )
        parser.add_argument(
            "--mode",
            choices=(TRANSCRIPTION, TRANSLATION),
            help="default: translation where the server can translate English and Spanish",
        )
        parser.add_argument(
            "--save",
            type=Path,
            metavar="FOLDER",
            help="only write the call to agent.wav and customer.wav in this folder",
        )
        parser.add_argument("--json", action="store_true", help="print messages as JSON lines")

    def handle(self, *args: Any, **options: Any) -> None:
        say = self.stderr.write if options["json"] else self.stdout.write
        try:
            if options["save"] is not None:
                _save(options["save"], options["mode"] or TRANSCRIPTION, say)
                return
            mode = options["mode"] or _mode(say)
            with _server(options["port"], say) as url:
                say("Synthesizing the speech of two people …")
                plan = _plan(mode)
                say(f"Playing the call in real time: {plan.duration:.0f} s")
                with api_key(options["key"], url) as key:
                    call_play(plan, url=url, key=key, as_json=options["json"])
                say(f"\nThe call is in the dashboard: {url}/dashboard/")
        except CallFailed as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The session was ended.", returncode=130) from None


def _mode(say: Any) -> str:
    """Translation, if this installation has it; else says what to install."""
    try:
        mode_require(TRANSLATION, "es", "en")
    except (FeatureNotAvailable, UnsupportedLanguagePair):
        say(
            "This call is in English only. To hear one translated between Spanish and English: "
            "apt-get install apertium-en-es"
        )
        return TRANSCRIPTION
    return TRANSLATION


def _plan(mode: str) -> CallPlan:
    if mode == TRANSLATION:
        parties = asyncio.run(call_speak(TRANSLATED_SCRIPT))
        return CallPlan(parties, mode=mode, source="es", target="en", record=True)
    return CallPlan(asyncio.run(call_speak(SCRIPT)), source="en", target="en", record=True)


def _save(folder: Path, mode: str, say: Any) -> None:
    folder_make(folder)
    for speaker, frames in _plan(mode).parties.items():
        path = folder / f"{speaker}.wav"
        file_of_frames(path, frames)
        say(f"Wrote {path}")


@contextmanager
def _server(port: int | None, say: Any) -> Iterator[str]:
    """The server of this data directory, or a new one that stops after the demo."""
    if url := running_url():
        if port not in (None, urlsplit(url).port):
            say(f"Not port {port}: a server of this data directory runs already, at {url}")
        yield url
        return
    say("No server is running: starting one for the demo (`make run` starts a permanent one)")
    manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*manage, "up", "--demo-organization", f"--port={port or 8000}", "--supervised"],
        env={**os.environ, "KALLGLOT_LOG_LEVEL": "WARNING"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C ends the call first, then the server
    ) as process:
        try:
            yield _ready(process, say)
        finally:
            say("Stopping the server")
            process.terminate()


def _ready(process: "subprocess.Popen[str]", say: Any) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            return line.split()[1]
        say(line.rstrip())
    raise CallFailed("The server did not start. Its output above says why.")
