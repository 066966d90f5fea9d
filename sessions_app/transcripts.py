"""A transcript as plain text and as subtitles."""

from collections.abc import Callable, Iterable

from sessions_app.models import Segment

FORMATS = ("json", "text", "srt", "vtt")

Render = Callable[[Iterable[Segment], bool], str]


def as_text(segments: Iterable[Segment], include_translations: bool) -> str:
    """One line per segment, ``Customer: …``; a translation follows on its own line."""
    return "".join(
        f"{_speaker(segment)}: {line}\n" if number == 0 else f"    {line}\n"
        for segment in segments
        for number, line in enumerate(_lines(segment, include_translations))
    )


def as_srt(segments: Iterable[Segment], include_translations: bool) -> str:
    """SubRip: numbered cues, a comma before the milliseconds."""
    return "\n".join(
        f"{number}\n{_clock(segment.start_time, ',')} --> {_clock(segment.end_time, ',')}\n"
        f"{_speaker(segment)}: " + "\n".join(_lines(segment, include_translations)) + "\n"
        for number, segment in enumerate(segments, start=1)
    )


def as_vtt(segments: Iterable[Segment], include_translations: bool) -> str:
    """WebVTT (W3C), with voice spans; the ids of the cues are those of the segments."""
    return "WEBVTT\n" + "".join(
        f"\n{segment.id}\n{_clock(segment.start_time, '.')} --> {_clock(segment.end_time, '.')}\n"
        f"<v {_speaker(segment)}>"
        + "\n".join(_escaped(line) for line in _lines(segment, include_translations))
        + "\n"
        for segment in segments
    )


RENDERERS: dict[str, tuple[str, Render]] = {
    "text": ("text/plain; charset=utf-8", as_text),
    "srt": ("application/x-subrip; charset=utf-8", as_srt),
    "vtt": ("text/vtt; charset=utf-8", as_vtt),
}


def _lines(segment: Segment, include_translations: bool) -> list[str]:
    # A blank line would end the cue, so all white space becomes one space.
    lines = [" ".join(segment.text.split())]
    if include_translations and segment.translation:
        lines.append(" ".join(segment.translation.split()))
    return lines


def _speaker(segment: Segment) -> str:
    return segment.speaker.capitalize()


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{mark}{milliseconds % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
