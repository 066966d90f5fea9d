"""``manage.py call``: play audio files as a live call and print the transcript."""

import asyncio
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from kallglot_site.caller.access import api_key, server_url
from kallglot_site.caller.audio import folder_make, frames_of_file
from kallglot_site.caller.client import Caller, CallPlan
from kallglot_site.caller.display import JsonLines, TranscriptDisplay
from kallglot_site.caller.errors import CallFailed
from kallglot_site.caller.heard import Heard
from kallglot_site.operator_commands import ShortUsage

MODES = ("transcription", "bidirectional_translation", "assistive_translation")


def _speed(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.1 <= number <= 100:
        raise ArgumentTypeError("give a factor from 0.1 to 100; 1 is the pace of speech")
    return number


class Command(ShortUsage):
    help = (
        "Play audio files to a running server as a live call, over REST and WebSockets, and print "
        "the transcript. One file is the customer's; of two files the first is the agent's."
    )
    requires_system_checks = []
    arguments = "AUDIO [AUDIO] [--url URL]"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "files",
            nargs="+",
            type=Path,
            metavar="AUDIO",
            help="CUSTOMER, or AGENT CUSTOMER: any audio file that FFmpeg can read",
        )
        parser.add_argument(
            "--url",
            help="URL of the server (default: the one that `up` runs on this data directory)",
        )
        parser.add_argument(
            "--key",
            help="API key (default: KALLGLOT_API_KEY; for the server of this data directory a "
            "temporary one)",
        )
        parser.add_argument(
            "--cacert",
            type=Path,
            metavar="FILE",
            help="PEM file of the certificate authority to trust (default: SSL_CERT_FILE, else "
            "the system's authorities)",
        )
        parser.add_argument("--mode", choices=MODES, default="transcription")
        parser.add_argument(
            "--source", metavar="LANGUAGE", help="the customer's language, such as es"
        )
        parser.add_argument("--target", metavar="LANGUAGE", help="the agent's language, such as en")
        parser.add_argument(
            "--speed", type=_speed, default=1.0, metavar="X", help="2 plays twice as fast"
        )
        parser.add_argument("--record", action="store_true", help="record both parties")
        parser.add_argument(
            "--save",
            type=Path,
            metavar="FOLDER",
            help="write what each party hears of a translated call to agent-hears.wav and "
            "customer-hears.wav in this folder",
        )
        parser.add_argument("--json", action="store_true", help="print messages as JSON lines")

    def handle(self, *args: Any, **options: Any) -> None:
        files: list[Path] = options["files"]
        if len(files) > 2:
            raise CommandError(
                "A call has two parties: give one file, or the agent's and then the customer's."
            )
        speakers = ("customer",) if len(files) == 1 else ("agent", "customer")
        try:
            plan = CallPlan(
                parties={
                    speaker: frames_of_file(file)
                    for speaker, file in zip(speakers, files, strict=True)
                },
                mode=options["mode"],
                source=options["source"],
                target=options["target"],
                speed=options["speed"],
                record=options["record"],
            )
            url = server_url(options["url"])
            with api_key(options["key"], url) as key:
                call_play(
                    plan,
                    url=url,
                    key=key,
                    cacert=options["cacert"],
                    as_json=options["json"],
                    save=options["save"],
                )
        except CallFailed as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted. The session was ended.", returncode=130) from None


def call_play(
    plan: CallPlan,
    *,
    url: str,
    key: str,
    cacert: Path | None = None,
    as_json: bool = False,
    save: Path | None = None,
) -> dict[str, Any]:
    """Play the plan and print it. Returns the complete transcript. Raises CallFailed.

    ``save`` is the folder for what each party hears, made if there is none; None: not wanted.
    """
    if save is not None:
        folder_make(save)
    heard = {} if save is None else {speaker: Heard() for speaker in plan.parties}
    with JsonLines() if as_json else TranscriptDisplay() as display:
        caller = Caller(url, key, display.message, cacert=cacert, heard=heard)
        transcript = asyncio.run(caller.play(plan))
        display.transcript(transcript)
    for speaker, sound in heard.items():
        assert save is not None
        sound.write(save / f"{speaker}-hears.wav")
    return transcript
