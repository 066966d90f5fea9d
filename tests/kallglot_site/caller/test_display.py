import io
import json
import re
from typing import Any

from rich.console import Console

from kallglot_site.caller.display import JsonLines, TranscriptDisplay

CREATED: dict[str, Any] = {
    "type": "session.created",
    "session": {"id": "sess_1", "mode": "transcription"},
}
PARTIAL: dict[str, Any] = {
    "type": "transcript.partial",
    "id": "seg_1",
    "speaker": "customer",
    "language": "en",
    "text": "Hello I",
    "start_time": 3.5,
}
FINAL: dict[str, Any] = {
    **PARTIAL,
    "type": "transcript.final",
    "text": "Hello, I ordered a kettle.",
    "end_time": 5.0,
    "confidence": 0.96,
    "translation": None,
}
TRANSCRIPT = {"word_count": 5, "duration": 5.0, "segments": [FINAL]}


def shown(*messages: dict[str, Any], terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80, highlight=False)
    with TranscriptDisplay(console) as display:
        for message in messages:
            display.message(message)
        display.transcript(TRANSCRIPT)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())  # without colours


def test_a_log_shows_finals_once_and_no_partials():
    text = shown(CREATED, PARTIAL, FINAL, terminal=False)
    live, _, complete = text.partition("Transcript: 5 words in 5.0 s")
    assert "Hello I …" not in text
    assert "  0:03.5 customer  Hello, I ordered a kettle.  en 96%" in live
    assert "Hello, I ordered a kettle." in complete


def test_a_terminal_shows_partials():
    assert "Hello I …" in shown(CREATED, PARTIAL, FINAL, terminal=True)


def test_warnings_and_errors_are_shown():
    text = shown(
        {"type": "session.warning", "code": "audio_dropped", "message": "Audio was dropped."},
        {"type": "session.error", "error": {"message": "The frame is not JSON."}},
        terminal=False,
    )
    assert "warning: Audio was dropped." in text
    assert "error: The frame is not JSON." in text


def test_spoken_text_cannot_style_the_terminal():
    text = shown({**FINAL, "text": "[red]not a style[/red]"}, terminal=False)
    assert "[red]not a style[/red]" in text


def test_json_is_one_object_a_line(capsys):
    with JsonLines() as display:
        display.message(FINAL)
        display.transcript(TRANSCRIPT)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == FINAL
    assert second == {"type": "transcript", "transcript": TRANSCRIPT}


def test_a_reconnect_says_who_and_why():
    lost = {"type": "stream.reconnecting", "speaker": "agent", "code": 1001, "reason": "stopped"}
    assert "agent: stopped (1001), reconnecting" in shown(lost, terminal=False)


def test_a_terminal_shows_originals_beside_their_translations():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, highlight=False, no_color=True)
    spanish = {**FINAL, "text": "Buenos días.", "translation": "Good morning."}
    cut = {**FINAL, "text": "Adiós.", "translation": "Goodbye.", "interrupted": True}
    with TranscriptDisplay(console) as display:
        display.transcript({**TRANSCRIPT, "segments": [spanish, cut]})
    rows = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).splitlines()
    assert [row.split() for row in rows[-3:]] == [
        ["Speaker", "Original", "Translation"],
        ["customer", "Buenos", "días.", "Good", "morning."],
        ["customer", "Adiós.", "(interrupted)", "Goodbye."],
    ]


def test_translations_are_shown_and_speech_is_not():
    text = shown(
        {"type": "translation.final", "segment_id": "seg_1", "text": "Hola.", "language": "es"},
        {"type": "translation.failed", "segment_id": "seg_2", "code": "translation_unavailable"},
        {"type": "audio.output", "segment_id": "seg_1", "audio": {"encoding": "mulaw"}},
        terminal=False,
    )
    assert "⇢ Hola.  es" in text
    assert "⇢ could not be translated" in text
    assert "mulaw" not in text
