"""``manage.py demo --save``. The played demo is tested in tests/e2e, with real speech."""

import os
import subprocess
import wave
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from kallglot_site.caller.client import CallPlan
from kallglot_site.caller.errors import CallFailed
from kallglot_site.management.commands import demo
from kallglot_site.management.commands.call import call_play


@pytest.fixture(autouse=True)
def _spoken(monkeypatch):
    async def call_speak(script):
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


def test_a_call_is_translated_if_the_installation_can_translate_it(monkeypatch):
    monkeypatch.setattr(demo, "mode_require", lambda *wanted: None)
    said: list[str] = []
    assert demo._mode(said.append) == "bidirectional_translation"
    assert said == []


def test_without_a_translator_the_demo_says_what_to_install(settings):
    settings.TRANSLATOR_URL = "whisper://"  # into English only
    said: list[str] = []
    assert demo._mode(said.append) == "transcription"
    (line,) = said
    assert "apt-get install apertium-en-es" in line


def test_a_missing_folder_is_made(tmp_path):
    call_command("demo", "--save", str(tmp_path / "calls" / "first"))
    assert (tmp_path / "calls" / "first" / "customer.wav").stat().st_size > 2_400


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(CommandError, match=r"The folder \S+file cannot be made: File exists"):
        call_command("demo", "--save", str(file))


def test_the_folder_for_what_is_heard_is_made_before_the_call(tmp_path):
    (tmp_path / "file").touch()
    plan = CallPlan(parties={})
    with pytest.raises(CallFailed, match="cannot be made"):
        call_play(plan, url="http://127.0.0.1:9", key="", save=tmp_path / "file" / "heard")


def test_the_port_is_not_ignored_silently_when_a_server_runs_already(monkeypatch):
    monkeypatch.setattr(demo, "running_url", lambda: "http://127.0.0.1:8000")
    said: list[str] = []
    for port in (None, 8000, 8001):
        with demo._server(port, said.append) as url:
            assert url == "http://127.0.0.1:8000"
    (line,) = said
    assert "8001" in line
    assert url in line


@pytest.mark.parametrize(
    ("arguments", "passed"), [([], ""), (["PORT=8123"], " --port 8123")], ids=["default", "given"]
)
def test_make_demo_passes_a_port_only_if_one_is_given(arguments, passed):
    # A make that started the tests must not add its own options and lines.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    printed = subprocess.run(
        ["make", "--dry-run", "demo", *arguments],
        cwd=settings.BASE_DIR,
        env=outside,
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.rstrip().endswith(f"manage.py demo{passed}")
