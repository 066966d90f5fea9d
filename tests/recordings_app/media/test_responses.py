"""Audio over HTTP while the storage hangs. What it answers otherwise: tests of the API."""

import threading

import pytest

from kallglot_site import executors
from recordings_app.media import responses, storage
from recordings_app.media.responses import Reader
from tests.factories import recording_ready
from tests.fakes.executors import full_executor


@pytest.fixture
def recording(cast):
    return recording_ready(cast.tenant)


class HungFile:
    """Chunks of a file whose second read hangs."""

    def __init__(self):
        self.reading, self.answer, self.closed = (threading.Event() for _ in range(3))

    def chunks(self):
        try:
            yield b"first"
            self.reading.set()
            self.answer.wait(60)
            yield b"second"
        finally:
            self.closed.set()


@pytest.mark.parametrize("path", ["/v1/recordings/{id}/audio", "/dashboard/recordings/{id}/audio"])
def test_a_storage_with_too_many_readers_is_unavailable(
    api, client, cast, recording, monkeypatch, path
):
    client.force_login(cast.owner)
    browser = api if path.startswith("/v1") else client
    with full_executor() as full:
        monkeypatch.setattr(executors, "STORAGE", full)
        answer = browser.get(path.format(id=recording.id))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"


def test_a_storage_that_does_not_answer_in_time_is_unavailable(api, recording, monkeypatch):
    answer, closed = threading.Event(), threading.Event()

    def read(*arguments):
        try:
            answer.wait(60)
            yield b"audio"
        finally:
            closed.set()

    monkeypatch.setattr(storage, "read", read)
    monkeypatch.setattr(responses, "OPEN_WITHIN", 0.01)
    refused = api.get(f"/v1/recordings/{recording.id}/audio")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service_unavailable")
    answer.set()
    assert closed.wait(10), "the file stays open"


def test_closing_does_not_wait_for_a_read_that_hangs():
    file = HungFile()
    reader = Reader(file.chunks())
    assert reader.next() == b"first"
    thread = threading.Thread(target=reader.next)
    thread.start()
    assert file.reading.wait(10)
    reader.close()
    assert not file.closed.is_set()
    file.answer.set()
    thread.join(10)
    assert file.closed.is_set()
    assert reader.next() == b""
