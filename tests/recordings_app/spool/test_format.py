"""Spool parts can be read also after damage."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings_app.media.encryption import Encryptor, MediaKeyError
from recordings_app.spool.format import NotASpool, Record, pack_header, pack_record, read_records
from sessions_app.media import AudioFormat

RECORDS = [
    Record(AudioFormat("mulaw", 8000), 0, b"\x01" * 800),
    Record(AudioFormat("pcm_s16le", 16000), 1600, b"\x02\x03" * 320),
    Record(AudioFormat("alaw", 8000), 1 << 40, b""),
    Record(AudioFormat("mulaw", 8000), 800, b"\x01" * 80, "seg_01KD3M8Q2Z6V4T9X5R7W1Y0ABC"),
    Record(AudioFormat("mulaw", 8000), 900, b"\x04" * 80),
]


def part(records: list[Record], encryptor: Encryptor | None = None) -> bytes:
    header = pack_header(encryptor)
    return header + b"".join(pack_record(record, encryptor) for record in records)


def read(data: bytes) -> list[Record]:
    return list(read_records(io.BytesIO(data)))


def test_records_come_back_as_they_were_written():
    assert read(part(RECORDS)) == RECORDS


def test_encrypted_records_can_be_read_back_and_contain_no_plain_audio(settings):
    settings.MEDIA_KEY = "a key"
    data = part(RECORDS, Encryptor())
    assert read(data) == RECORDS
    assert b"\x01" * 16 not in data


def test_an_earlier_key_still_decrypts_and_a_missing_one_is_an_error(settings):
    settings.MEDIA_KEY = "old"
    data = part(RECORDS, Encryptor())
    settings.MEDIA_KEY = "new, old"
    assert read(data) == RECORDS
    settings.MEDIA_KEY = "new"
    with pytest.raises(MediaKeyError):
        read(data)


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_torn_file_keeps_all_whole_records(settings, encrypted):
    settings.MEDIA_KEY = "key" if encrypted else ""
    encryptor = Encryptor() if encrypted else None
    data = pack_header(encryptor)
    ends = []
    for record in RECORDS:
        data += pack_record(record, encryptor)
        ends.append(len(data))
    first_end = len(pack_header(encryptor)) if not encrypted else ends[0] - 1
    for cut in range(first_end, len(data) + 1, 7):
        assert read(data[:cut]) == RECORDS[: sum(end <= cut for end in ends)]


def test_a_damaged_record_loses_only_itself():
    data = bytearray(part(RECORDS * 50))
    at = len(pack_header(None)) + len(pack_record(RECORDS[0])) + 40
    data[at] ^= 0xFF
    assert read(bytes(data)) == [RECORDS[0], *(RECORDS * 50)[2:]]


def test_zeroes_left_by_a_power_cut_are_skipped():
    before, after = pack_record(RECORDS[0]), pack_record(RECORDS[1])
    data = pack_header(None) + before + bytes(3_000_000) + after
    assert read(data) == [RECORDS[0], RECORDS[1]]


@given(st.binary(max_size=300))
def test_random_file_content_neither_raises_nor_hangs(noise):
    for data in (noise, pack_header(None) + noise, part(RECORDS[:1]) + noise):
        try:
            read(data)
        except NotASpool:
            assert not data.startswith(pack_header(None))
