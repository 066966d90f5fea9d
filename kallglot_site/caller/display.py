"""Output of a call: a growing transcript for people, or JSON lines for programs."""

import json
import sys
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]
_COLOURS = {"agent": "cyan", "customer": "magenta"}


class JsonLines:
    """Every message as one line of JSON on standard output, ``audio.output`` without the audio."""

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def message(self, message: Json) -> None:
        sys.stdout.write(json.dumps(message, ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def transcript(self, transcript: Json) -> None:
        self.message({"type": "transcript", "transcript": transcript})


class TranscriptDisplay:
    """For people. On a terminal, partials stand below the finals and are replaced as they grow."""

    def __init__(self, console: Console | None = None) -> None:
        # Lines are not wrapped in a log or a pipe: those have no width.
        self._console = console or Console(highlight=False, soft_wrap=not sys.stdout.isatty())
        self._partials: dict[str, Json] = {}
        self._live = Live(console=self._console, transient=True, auto_refresh=False)

    def __enter__(self) -> "TranscriptDisplay":
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
            case "translation.failed":
                self._console.print(f"{'':17}⇢ could not be translated", style="yellow")
            case "session.warning":
                self._console.print(f"warning: {message['message']}", style="yellow")
            case "stream.reconnecting":
                text = (
                    f"{message['speaker']}: {message['reason']} ({message['code']}), reconnecting"
                )
                self._console.print(text, style="yellow")
            case "session.error":
                self._console.print(f"error: {message['error']['message']}", style="red")
        self._redraw()

    def transcript(self, transcript: Json) -> None:
        """Print the whole transcript, as the API returns it."""
        self._live.stop()
        words, seconds = transcript["word_count"], transcript["duration"]
        self._console.print()
        self._console.print(f"Transcript: {words} words in {seconds:.1f} s", style="bold")
        segments = transcript["segments"]
        if self._console.is_terminal and any(segment["translation"] for segment in segments):
            self._console.print(_columns(segments))
            return
        for segment in segments:
            self._console.print(segment_line(segment))
            if segment["translation"]:
                self._console.print(Text(f"{'':17}⇢ {segment['translation']}", style="italic"))

    def _redraw(self) -> None:
        if self._console.is_terminal:
            spoken = sorted(self._partials.values(), key=lambda partial: partial["start_time"])
            self._live.update(Group(*(segment_line(partial) for partial in spoken)), refresh=True)


def _columns(segments: list[Json]) -> Table:
    """What was said, and beside it the translation."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Speaker")
    table.add_column("Original", ratio=1)
    table.add_column("Translation", ratio=1)
    for segment in segments:
        table.add_row(
            Text(segment["speaker"], style=_COLOURS.get(segment["speaker"], "")),
            Text(segment["text"] + (" (interrupted)" if segment.get("interrupted") else "")),
            Text(segment["translation"] or "", style="italic"),
        )
    return table


def segment_line(segment: Json) -> Text:
    """``  0:03.5 customer  Hello …  en 96 %``; a partial has no confidence."""
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
