"""How a call looks to whoever watches: a growing transcript, or JSON lines for a program."""

import json
import sys
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

Json = dict[str, Any]
_COLOURS = {"agent": "cyan", "customer": "magenta"}


class JsonLines:
    """Every message as one line of JSON on standard output."""

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def message(self, message: Json) -> None:
        sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def transcript(self, transcript: Json) -> None:
        self.message({"type": "transcript", "transcript": transcript})


class Watching:
    """For people. On a terminal, what is being said stands below and is replaced as it grows."""

    def __init__(self, console: Console | None = None) -> None:
        # A log or a pipe has no width: lines are not broken there.
        self._console = console or Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._partials: dict[str, Json] = {}
        self._live = Live(console=self._console, transient=True, auto_refresh=False)

    def __enter__(self) -> "Watching":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def message(self, message: Json) -> None:
        match message["type"]:
            case "session.created":
                session = message["session"]
                self._console.print(f"Session {session['id']} ({session['mode']})", style="bold")
            case "transcript.partial" if message["text"]:
                self._partials[message["id"]] = message
            case "transcript.partial" | "transcript.final":
                self._partials.pop(message["id"], None)
                if message["type"] == "transcript.final":
                    self._console.print(segment_line(message))
            case "translation.final":
                line = Text(f"{'':17}⇢ {message['text']}", style="italic")
                line.append(f"  {message['language']}", style="dim")
                self._console.print(line)
            case "session.warning":
                self._console.print(f"warning: {message['message']}", style="yellow")
            case "session.error":
                self._console.print(f"error: {message['error']['message']}", style="red")
        self._redraw()

    def transcript(self, transcript: Json) -> None:
        """The whole conversation once more, as the API keeps it."""
        self._live.stop()
        words, seconds = transcript["word_count"], transcript["duration"]
        self._console.print()
        self._console.print(f"Transcript: {words} words in {seconds:.1f} s", style="bold")
        for segment in transcript["segments"]:
            self._console.print(segment_line(segment))
            if segment["translation"]:
                self._console.print(Text(f"{'':17}⇢ {segment['translation']}", style="italic"))

    def _redraw(self) -> None:
        if self._console.is_terminal:
            spoken = sorted(self._partials.values(), key=lambda partial: partial["start_time"])
            self._live.update(Group(*(segment_line(partial) for partial in spoken)), refresh=True)


def segment_line(segment: Json) -> Text:
    """``  0:03.5 customer  Hello …  en 96 %``; without the confidence it is still being said."""
    minutes, seconds = divmod(segment["start_time"], 60)
    line = Text(f"{int(minutes):3}:{seconds:04.1f} ", style="dim")
    line.append(f"{segment['speaker']:<9} ", style=_COLOURS.get(segment["speaker"], ""))
    confidence = segment.get("confidence")
    line.append(segment["text"], style="" if confidence is not None else "dim")
    if confidence is None:
        line.append(" …", style="dim")
    else:
        line.append(f"  {segment['language']} {confidence:.0%}", style="dim")
    return line
