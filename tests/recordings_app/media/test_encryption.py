"""Encryption at rest: nothing is readable on disk, and every change is detected."""

import io

import pytest

from recordings_app.media import encryption
from recordings_app.media.encryption import CHUNK, MediaCorrupt, MediaKeyError


@pytest.fixture(autouse=True)
def _key(settings):
    settings.MEDIA_KEY = "a long passphrase"


def sealed(plain):
    return b"".join(encryption.encrypt_chunks(io.BytesIO(plain)))


def opened(data):
    return b"".join(encryption.decrypt_chunks(io.BytesIO(data)))


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17])
def test_a_file_decrypts_to_itself_and_its_encrypted_size_is_known(size):
    plain = bytes(range(256)) * (size // 256 + 1)
    plain = plain[:size]
    data = sealed(plain)
    assert len(data) == encryption.encrypted_size(size)
    assert opened(data) == plain
    if size > 64:
        assert plain[:64] not in data


def test_the_same_file_twice_is_two_different_ciphertexts():
    assert sealed(b"hello") != sealed(b"hello")


def test_altered_cut_reordered_or_extended_is_refused():
    data = sealed(b"x" * (3 * CHUNK))
    first, block = encryption.PREAMBLE_BYTES, CHUNK + encryption.OVERHEAD
    flipped = bytearray(data)
    flipped[first + 1000] ^= 1
    swapped = (
        data[:first]
        + data[first + block : first + 2 * block]
        + data[first : first + block]
        + data[first + 2 * block :]
    )
    for bad in (bytes(flipped), swapped, data[: first + 2 * block], data + data[-block:], b""):
        with pytest.raises((MediaCorrupt, MediaKeyError)):
            opened(bad)


def test_decrypting_with_another_key_raises_a_key_error(settings):
    data = sealed(b"hello")
    settings.MEDIA_KEY = "another"
    with pytest.raises(MediaKeyError):
        opened(data)


def test_a_slice_is_what_slicing_the_whole_gives():
    plain = bytes(range(256)) * 1024
    chunks = [plain[start : start + 1000] for start in range(0, len(plain), 1000)]
    for start, length in ((0, 1), (999, 2), (1000, 1000), (5, 12345), (len(plain) - 3, 3)):
        part = b"".join(encryption.slice_chunks(chunks, start, length))
        assert part == plain[start : start + length]
