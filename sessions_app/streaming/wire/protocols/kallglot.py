"""Kallglot's own streaming protocol: JSON text frames, and raw audio in binary ones.

Decoding audio is the hot path (thousands of frames a second on one core): one JSON parse, one
base64 decode, a few type checks, and no further copies.
"""

import binascii
from typing import Any, Final, cast, get_args

import orjson

from sessions_app.live_events import (
    AudioClear,
    AudioOutput,
    FinalTranscript,
    PartialTranscript,
    SessionEnded,
    SessionPaused,
    SessionResumed,
    SpeechStarted,
    SpeechStopped,
    StreamWarning,
    TranslationFailed,
    TranslationFinal,
    TranslationPartial,
)
from sessions_app.media import (
    ENCODINGS,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    AudioFormat,
    AudioFrame,
    Speaker,
    audio_format,
    split_channels,
)
from sessions_app.streaming.wire.protocols.base import (
    ArrivalClock,
    AudioInput,
    AudioPlayed,
    AudioStart,
    ClientMessage,
    Control,
    ControlAction,
    EndSession,
    Json,
    Ping,
    Pong,
    ProtocolError,
    ServerMessage,
    SessionError,
    SessionReady,
    TranscriptionPaused,
    TranscriptionResumed,
)

LARGEST_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON implementation represents exactly."""

CONTROL_ACTIONS: Final = get_args(ControlAction)
END_REASONS: Final = ("completed", "customer_hangup", "agent_hangup", "error", "timeout")
MESSAGE_TYPES: Final = (
    "audio.input",
    "audio.start",
    "audio.played",
    "session.control",
    "ping",
    "session.end",
)


class KallglotCodec:
    """See ``protocols.base.Codec``.

    Args:
        session_id: sent in every message to the client.
        speaker: of all audio on this connection whose message names no other.
        clock: gives audio its arrival time, in seconds.
        errors_url: the page that describes error codes, for ``doc_url``.
        request_id: of the connection, sent in every error.
    """

    tells_transcripts: Final = True

    def __init__(
        self,
        *,
        session_id: str,
        speaker: Speaker,
        clock: ArrivalClock,
        errors_url: str = "",
        request_id: str | None = None,
    ) -> None:
        self._session_id = session_id
        self._errors_url = errors_url
        self._request_id = request_id
        self._speaker: Speaker = speaker
        self._clock = clock
        self._binary: AudioStart | None = None

    # --- decoding -------------------------------------------------------------------------

    def decode(self, data: str | bytes) -> list[ClientMessage]:
        if isinstance(data, str):
            return [self._decode_text(data)]
        if self._binary is None:
            raise ProtocolError(
                "missing_required_field",
                "Send audio.start before the first binary frame: it states the audio's format.",
                "audio",
            )
        speaker = self._binary.speaker or self._speaker
        return [self._audio(data, self._binary.format, speaker, None, None, "audio")]

    def _decode_text(self, text: str) -> ClientMessage:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ProtocolError("invalid_json", f"The frame is not JSON: {error.msg}.") from None
        if type(message) is not dict:
            raise ProtocolError("invalid_json", "The frame must be a JSON object.")
        kind = message.get("type")
        if kind == "audio.input":
            return self._audio_input(message)
        if kind == "ping":
            return _ping(message)
        if kind == "audio.played":
            return _played(message)
        if kind == "audio.start":
            format, _ = _format(message)
            self._binary = AudioStart(format, _speaker(message))
            return self._binary
        if kind == "session.control":
            return Control(_choice(message, "action", CONTROL_ACTIONS))
        if kind == "session.end":
            if message.get("reason") is None:
                return EndSession(None)
            return EndSession(_choice(message, "reason", END_REASONS))
        _choice(message, "type", MESSAGE_TYPES)
        raise AssertionError("unreachable: every known type is handled above")

    def _audio_input(self, message: Json) -> AudioInput:
        sequence = message.get("sequence")
        if sequence is not None:
            _check_integer(sequence, "sequence")
        timestamp_ms = message.get("timestamp_ms")
        if timestamp_ms is not None:
            _check_integer(timestamp_ms, "timestamp_ms")
        speaker = _speaker(message) or self._speaker
        format, audio = _format(message)
        encoded = audio.get("payload")
        if type(encoded) is not str:
            raise _missing_or_wrong(audio, "payload", "audio.payload", "a base64 string")
        try:
            payload = binascii.a2b_base64(encoded, strict_mode=True)
        except ValueError:
            raise ProtocolError(
                "invalid_field_value", "audio.payload is not valid base64.", "audio.payload"
            ) from None
        return self._audio(payload, format, speaker, sequence, timestamp_ms, "audio.payload")

    def _audio(
        self,
        payload: bytes,
        format: AudioFormat,
        speaker: Speaker,
        sequence: int | None,
        timestamp_ms: int | None,
        param: str,
    ) -> AudioInput:
        size = len(payload)
        if not size or size % format.bytes_per_sample_frame:
            unit = format.bytes_per_sample_frame
            raise ProtocolError(
                "invalid_field_value",
                f"The audio has {size} bytes. {format.encoding} with {format.channels} channel(s) "
                f"needs a multiple of {unit} bytes, and at least {unit}.",
                param,
            )
        arrived = self._clock()
        if format.channels == 1:
            frame = AudioFrame(speaker, format, payload, sequence, timestamp_ms, arrived)
            return AudioInput((frame,))
        left, right = split_channels(payload, format)
        mono = format.mono
        return AudioInput(
            (
                AudioFrame("agent", mono, left, sequence, timestamp_ms, arrived),
                AudioFrame("customer", mono, right, sequence, timestamp_ms, arrived),
            )
        )

    # --- encoding -------------------------------------------------------------------------

    def encode(self, message: ServerMessage) -> tuple[str]:
        kind, fields = _fields_of(message)
        if type(message) is SessionError:
            fields["error"]["doc_url"] = f"{self._errors_url}#{fields['error']['code']}"
            fields["error"]["request_id"] = self._request_id
        document = {"type": kind, "session_id": self._session_id, **fields}
        return (orjson.dumps(document).decode(),)


def _missing_or_wrong(message: Json, field: str, param: str, wanted: str) -> ProtocolError:
    if message.get(field) is None:
        return ProtocolError("missing_required_field", f"{param} is required: {wanted}.", param)
    return ProtocolError("invalid_field_value", f"{param} must be {wanted}.", param)


def _choice(message: Json, field: str, choices: tuple[str, ...]) -> Any:
    value = message.get(field)
    if type(value) is not str or value not in choices:
        raise _missing_or_wrong(message, field, field, f"one of {', '.join(choices)}")
    return value


def _check_integer(value: object, param: str) -> None:
    # In Python a bool is an int, in JSON it is not: compare the exact type.
    if type(value) is not int or not 0 <= value <= LARGEST_INTEGER:
        raise ProtocolError(
            "invalid_field_value", f"{param} must be an integer from 0 to 2^53 - 1.", param
        )


def _speaker(message: Json) -> Speaker | None:
    value = message.get("speaker")
    if value is None or value == "agent" or value == "customer":
        return cast("Speaker | None", value)
    raise ProtocolError(
        "invalid_field_value", "speaker must be agent or customer, or left out.", "speaker"
    )


def _format(message: Json) -> tuple[AudioFormat, Json]:
    """The format in ``message["audio"]``, and that object."""
    audio = message.get("audio")
    if type(audio) is not dict:
        raise _missing_or_wrong(message, "audio", "audio", "an object")
    encoding, rate, channels = (
        audio.get("encoding"),
        audio.get("sample_rate_hz"),
        audio.get("channels"),
    )
    if type(encoding) is not str or encoding not in ENCODINGS:
        wanted = f"one of {', '.join(ENCODINGS)}"
        raise _missing_or_wrong(audio, "encoding", "audio.encoding", wanted)
    if type(rate) is not int or not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        wanted = f"an integer from {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}"
        raise _missing_or_wrong(audio, "sample_rate_hz", "audio.sample_rate_hz", wanted)
    if type(channels) is not int or channels not in (1, 2):
        raise _missing_or_wrong(audio, "channels", "audio.channels", "1 or 2")
    return audio_format(encoding, rate, channels), audio


def _ping(message: Json) -> Ping:
    value = message.get("timestamp_ms")
    if value is not None and type(value) not in (int, float):
        raise ProtocolError("invalid_field_value", "timestamp_ms must be a number.", "timestamp_ms")
    return Ping(value)


def _played(message: Json) -> AudioPlayed:
    """Both fields are those of an ``audio.output``, whose ``segment_id`` may be null."""
    for field in ("segment_id", "sequence"):
        if field not in message:
            wanted = "the one of the audio.output that has been played"
            raise _missing_or_wrong(message, field, field, wanted)
    segment_id, sequence = message["segment_id"], message["sequence"]
    if segment_id is not None and type(segment_id) is not str:
        raise ProtocolError(
            "invalid_field_value", "segment_id must be a string or null.", "segment_id"
        )
    _check_integer(sequence, "sequence")
    return AudioPlayed(segment_id, sequence)


def _fields_of(message: ServerMessage) -> tuple[str, Json]:
    """The message's ``type``, and its fields besides ``type`` and ``session_id``."""
    match message:
        case FinalTranscript():
            return "transcript.final", _segment(message)
        case PartialTranscript():
            return "transcript.partial", {
                "id": message.id,
                "speaker": message.speaker,
                "language": message.language,
                "text": message.text,
                "start_time": message.start_time,
            }
        case SpeechStarted():
            return "speech.started", {"speaker": message.speaker, "at": message.at}
        case SpeechStopped():
            return "speech.stopped", {"speaker": message.speaker, "at": message.at}
        case StreamWarning():
            return "session.warning", {
                "code": message.code,
                "message": message.message,
                "speaker": message.speaker,
            }
        case TranslationFinal():
            return "translation.final", _translation(message)
        case TranslationPartial():
            return "translation.partial", _translation(message)
        case TranslationFailed():
            return "translation.failed", {
                "segment_id": message.segment_id,
                "speaker": message.speaker,
                "code": message.code,
            }
        case AudioOutput():
            return "audio.output", _speech(message)
        case AudioClear():
            return "audio.clear", {"segment_id": message.segment_id, "reason": message.reason}
        case Pong():
            return "pong", {"timestamp_ms": message.timestamp_ms}
        case _:
            return _session_fields_of(message)


def _session_fields_of(
    message: SessionReady
    | SessionPaused
    | SessionResumed
    | SessionError
    | SessionEnded
    | TranscriptionPaused
    | TranscriptionResumed,
) -> tuple[str, Json]:
    match message:
        case SessionReady():
            return "session.ready", {
                "mode": message.mode,
                "source_language": message.source_language,
                "target_language": message.target_language,
                "speaker": message.speaker,
                "encodings": list(ENCODINGS),
                "resumed": message.resumed,
                "sequence": message.sequence,
                "recording_paused": message.recording_paused,
                "muted": message.muted,
                "transcription_paused": message.transcription_paused,
            }
        case TranscriptionPaused():
            return "transcription.paused", {"speaker": message.speaker}
        case TranscriptionResumed():
            return "transcription.resumed", {"speaker": message.speaker}
        case SessionPaused():
            return "session.paused", {}
        case SessionResumed():
            return "session.resumed", {}
        case SessionError():
            return "session.error", {
                "error": {
                    "type": message.type,
                    "code": message.code,
                    "message": message.message,
                    "param": message.param,
                    "doc_url": None,  # set by the codec
                    "request_id": None,  # set by the codec
                }
            }
        case SessionEnded():
            return "session.ended", {
                "reason": message.reason,
                "duration": round(message.duration, 3),
            }


def _segment(final: FinalTranscript) -> Json:
    return {
        "id": final.id,
        "speaker": final.speaker,
        "language": final.language,
        "text": final.text,
        # The segment's translation follows as translation.final.
        "translation": None,
        "start_time": final.start_time,
        "end_time": final.end_time,
        "confidence": final.confidence,
        "sequence": final.sequence,
    }


def _translation(message: TranslationFinal | TranslationPartial) -> Json:
    return {
        "segment_id": message.segment_id,
        "speaker": message.speaker,
        "language": message.language,
        "text": message.text,
    }


def _speech(output: AudioOutput) -> Json:
    return {
        "segment_id": output.segment_id,
        "speaker": output.speaker,
        "sequence": output.sequence,
        "audio": {
            "encoding": output.format.encoding,
            "sample_rate_hz": output.format.sample_rate,
            "channels": output.format.channels,
            "payload": binascii.b2a_base64(output.payload, newline=False).decode("ascii"),
        },
        "last": output.last,
        "original": output.original,
    }
