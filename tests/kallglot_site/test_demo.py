"""``manage.py demo --save``. The played demo is tested in tests/e2e, with real speech."""

import wave
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from kallglot_site.management.commands import demo


@pytest.fixture(autouse=True)
def _spoken(monkeypatch):
    async def call_speak():
        return {"agent": [bytes(800)] * 3, "customer": [bytes(800)] * 3}

    monkeypatch.setattr(demo, "call_speak", call_speak)


def test_save_writes_a_file_for_each_party_and_plays_nothing(tmp_path):
    out = StringIO()
    call_command("demo", "--save", str(tmp_path), stdout=out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent.wav", "customer.wav"]
    with wave.open(str(tmp_path / "customer.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        assert file.getnframes() == 2400
    assert "customer.wav" in out.getvalue()
    assert "Playing" not in out.getvalue()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(CommandError, match=r"agent\.wav cannot be written"):
        call_command("demo", "--save", str(tmp_path / "none"))
