"""Tells by a connection's first message which telephony vendor has dialled."""

from sessions_app.streaming.wire.protocols.base import ArrivalClock, ProtocolError
from sessions_app.streaming.wire.protocols.telephony import MediaStreamCodec, message_of
from sessions_app.streaming.wire.protocols.telnyx import TelnyxCodec
from sessions_app.streaming.wire.protocols.twilio import TwilioCodec


def vendor_codec(data: str | bytes, *, clock: ArrivalClock) -> MediaStreamCodec | None:
    """The codec for a first message; None: no vendor sends it.

    Both begin with ``connected``, in which only Twilio names its protocol, or with ``start``, in
    which each has its own name for the stream's id.
    """
    try:
        message = message_of(data)
    except ProtocolError:
        return None
    event = message.get("event")
    if type(event) is not str:
        return None
    is_telnyx = (event == "connected" and "protocol" not in message) or "stream_id" in message
    return TelnyxCodec(clock=clock) if is_telnyx else TwilioCodec(clock=clock)
