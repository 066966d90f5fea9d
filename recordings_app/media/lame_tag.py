"""The first frame of an mp3: how much silence the encoder added before and after the audio.

The layout is Xing's header with LAME's extension (http://gabriel.mp3-tech.org/mp3infotag.html).
Decoders that read it (every browser, ffmpeg, libsndfile…) give back exactly the samples that went
in; without it 8 kHz audio comes out 138 ms late.
"""

import struct
from typing import Final

ENCODER_DELAY: Final = 576
"""Samples that LAME puts first, at every rate (ENCDELAY in its encoder.h)."""

HEADER_BYTES: Final = 4
_MPEG1: Final = 3
_BIT_RATES: Final = {  # kbit/s by index, layer III
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class FrameHeader:
    """An MPEG audio frame header, layer III. ``size`` is in bytes and includes the header.

    Raises ValueError for anything else.
    """

    def __init__(self, data: bytes) -> None:
        (bits,) = struct.unpack_from(">I", data)
        version, layer = bits >> 19 & 3, bits >> 17 & 3
        bit_rate, rate = bits >> 12 & 15, bits >> 10 & 3
        if (
            bits >> 21 != 0x7FF
            or version not in _RATES
            or layer != 1
            or bit_rate == 15
            or rate == 3
        ):
            raise ValueError("not the beginning of an mp3 frame")
        self.bits = bits
        self.mpeg1 = version == _MPEG1
        self.mono = bits >> 6 & 3 == 3
        self.bit_rate = _BIT_RATES[self.mpeg1][bit_rate]
        self.sample_rate = _RATES[version][rate]
        self.samples = 1152 if self.mpeg1 else 576
        self.unpadded_size = self.samples // 8 * self.bit_rate * 1000 // self.sample_rate
        self.size = self.unpadded_size + (bits >> 9 & 1)


def tag_frame(first: FrameHeader, *, frames: int, size: int, samples: int) -> bytes:
    """The frame to stand before the others.

    Args:
        first: the header of the first audio frame.
        frames: audio frames in the file, this one not counted.
        size: bytes of the whole file, this frame included.
        samples: what was encoded, for each channel.
    """
    padding = frames * first.samples - ENCODER_DELAY - samples
    side_info = (17 if first.mono else 32) if first.mpeg1 else (9 if first.mono else 17)
    frame = bytearray(first.unpadded_size)
    struct.pack_into(">I", frame, 0, first.bits & ~(1 << 9) | 1 << 16)  # no padding, no CRC
    position = HEADER_BYTES + side_info
    # Constant bit rate: the table of contents is a straight line.
    struct.pack_into(">4sIII", frame, position, b"Info", 0b1111, frames, size)
    frame[position + 16 : position + 116] = bytes(i * 255 // 100 for i in range(100))
    lame = position + 120  # after the quality indicator, which stays 0
    struct.pack_into(">9sB", frame, lame, b"LAME3.100", 1)
    frame[lame + 20] = min(first.bit_rate, 255)
    frame[lame + 21 : lame + 24] = (ENCODER_DELAY << 12 | min(padding, 0xFFF)).to_bytes(3, "big")
    struct.pack_into(">I", frame, lame + 28, size)
    struct.pack_into(">H", frame, lame + 34, _crc16(frame[: lame + 34]))
    return bytes(frame)


def _crc16(data: bytes | bytearray) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
