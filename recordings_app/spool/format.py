"""The spool's bytes: a header, then records that are only ever appended.

One part holds one stretch of one channel, written by one owner. A record carries everything needed
to place its audio (offset in samples, rate, encoding), and of made speech the segment that it
speaks. Silence is not stored, a change of rate is just the next record, and a record torn by a
crash is recognised by its CRC and left out. Each record starts with a marker: after a damaged one,
reading goes on at the next whole one.

With encryption every record is one message of a secretstream, preceded by its length.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from recordings_app.media.encryption import (
    OVERHEAD,
    PREAMBLE_BYTES,
    Decryptor,
    Encryptor,
    MediaCorrupt,
)
from sessions_app.media import AudioFormat, Encoding, audio_format

MAGIC: Final = b"KGSP\x01"
_HEADER: Final = struct.Struct("<5s?B?")  # magic, encrypted, reserved, failed
HEADER_BYTES: Final = _HEADER.size
FAILED_OFFSET: Final = HEADER_BYTES - 1
"""Where a writer that must stop writes ``FAILED``. Overwriting works on a full disk too."""
FAILED: Final = b"\x01"

_MARKER: Final = b"\xa5K"
_RECORD: Final = struct.Struct("<2sIBIQI")  # marker, CRC, encoding, rate, position, payload length
_CHECKED: Final = 6  # the CRC covers everything after itself
_LENGTH: Final = struct.Struct("<I")
LARGEST_PAYLOAD: Final = 1 << 20
_READ: Final = 1 << 20

_CODES: Final[dict[Encoding, int]] = {"mulaw": 0, "alaw": 1, "pcm_s16le": 2}
_ENCODINGS: Final[dict[int, Encoding]] = {code: name for name, code in _CODES.items()}
_OF_SEGMENT: Final = 0x80
"""Added to the encoding's code: the id of a segment comes before the audio."""
_ID_BYTES: Final = 30  # "seg_" and a ULID


class NotASpool(Exception):
    """The file does not begin like a spool part."""


@dataclass(frozen=True, slots=True)
class Record:
    """``position``: samples at the format's own rate since the session's zero. Mono.

    ``segment_id``: of made speech, the segment whose translation it speaks.
    """

    format: AudioFormat
    position: int
    payload: bytes
    segment_id: str | None = None

    @property
    def samples(self) -> int:
        return len(self.payload) // self.format.bytes_per_sample

    @property
    def start_seconds(self) -> float:
        return self.position / self.format.sample_rate

    @property
    def end_seconds(self) -> float:
        return (self.position + self.samples) / self.format.sample_rate


def pack_header(encryptor: Encryptor | None) -> bytes:
    header = _HEADER.pack(MAGIC, encryptor is not None, 0, False)
    return header + (encryptor.preamble if encryptor else b"")


def pack_record(record: Record, encryptor: Encryptor | None = None) -> bytes:
    code, payload = _CODES[record.format.encoding], record.payload
    if record.segment_id is not None:
        segment = record.segment_id.encode()
        if len(segment) == _ID_BYTES:
            code, payload = code | _OF_SEGMENT, segment + payload
    body = _RECORD.pack(_MARKER, 0, code, record.format.sample_rate, record.position, len(payload))
    crc = zlib.crc32(payload, zlib.crc32(body[_CHECKED:]))
    plain = b"".join((_MARKER, _LENGTH.pack(crc), body[_CHECKED:], payload))
    if encryptor is None:
        return plain
    sealed = encryptor.push(plain)
    return _LENGTH.pack(len(sealed)) + sealed


@dataclass(frozen=True, slots=True)
class Header:
    encrypted: bool
    failed: bool


def read_header(file: BinaryIO) -> Header:
    """Raises NotASpool. Leaves ``file`` after the header, before an encrypted part's preamble."""
    data = file.read(HEADER_BYTES)
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        raise NotASpool("not a spool part, or its header is torn")
    _, encrypted, _, failed = _HEADER.unpack(data)
    return Header(encrypted, failed)


def read_records(file: BinaryIO) -> Iterator[Record]:
    """Every whole record, in order. A torn record at the end is skipped without an error.

    Raises NotASpool, and MediaKeyError where the part's key is not configured.
    """
    if read_header(file).encrypted:
        yield from _sealed_records(file)
    else:
        yield from _plain_records(file)


def _sealed_records(file: BinaryIO) -> Iterator[Record]:
    preamble = file.read(PREAMBLE_BYTES)
    if len(preamble) < PREAMBLE_BYTES:
        return
    decryptor = Decryptor(preamble)
    largest = LARGEST_PAYLOAD + _RECORD.size + OVERHEAD
    while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        if length > largest or len(sealed := file.read(length)) < length:
            return
        try:
            plain, _ = decryptor.pull(sealed)
        except MediaCorrupt:
            return
        parsed = _parse(plain, 0)
        if isinstance(parsed, Record):
            yield parsed


def _plain_records(file: BinaryIO) -> Iterator[Record]:
    buffer, offset, ended = b"", 0, False
    while True:
        parsed = _parse(buffer, offset)
        if isinstance(parsed, Record):
            offset += _RECORD.size + len(parsed.payload) + (_ID_BYTES if parsed.segment_id else 0)
            yield parsed
        elif parsed is _INCOMPLETE and not ended:
            more = file.read(_READ)
            ended = not more
            buffer, offset = buffer[offset:] + more, 0
        else:  # damaged, or torn at the end: on to the next marker, if there is one
            offset = buffer.find(_MARKER, offset + 1)
            if offset < 0:
                if ended:
                    return
                # The marker's first byte may be the buffer's last.
                buffer, offset = buffer[-1:], 0
                more = file.read(_READ)
                ended = not more
                buffer += more


_INCOMPLETE: Final = object()
_DAMAGED: Final = object()


def _parse(buffer: bytes, offset: int) -> Record | object:
    """The record at ``offset``, or ``_INCOMPLETE`` or ``_DAMAGED``."""
    if len(buffer) - offset < _RECORD.size:
        return _INCOMPLETE
    marker, crc, code, rate, position, length = _RECORD.unpack_from(buffer, offset)
    encoding, of_segment = _ENCODINGS.get(code & ~_OF_SEGMENT), bool(code & _OF_SEGMENT)
    if marker != _MARKER or encoding is None or length > LARGEST_PAYLOAD:
        return _DAMAGED
    end = offset + _RECORD.size + length
    if end > len(buffer):
        return _INCOMPLETE
    if zlib.crc32(memoryview(buffer)[offset + _CHECKED : end]) != crc:
        return _DAMAGED
    begin = offset + _RECORD.size
    audio = begin + _ID_BYTES if of_segment else begin
    try:
        format = audio_format(encoding, rate, 1)
        segment = buffer[begin:audio].decode() if of_segment and audio <= end else None
    except ValueError:
        return _DAMAGED
    return Record(format, position, buffer[audio:end], segment)
