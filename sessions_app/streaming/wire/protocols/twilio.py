"""Twilio Media Streams. Numbers are strings. Twilio warns its customers (31951) of messages with an
unknown, missing or extra field, and of binary ones (31950).

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

from typing import ClassVar

from sessions_app.streaming.wire.protocols.base import Json
from sessions_app.streaming.wire.protocols.telephony import MediaStreamCodec


class TwilioCodec(MediaStreamCodec):
    """Twilio sends and plays mu-law at 8 kHz only."""

    id_field: ClassVar = "streamSid"
    parameters_field: ClassVar = "customParameters"

    def _encoded(self, event: str, content: Json | None) -> Json:
        message: Json = {"event": event, "streamSid": self._stream_id}
        if content is not None:
            message[event] = content
        return message
