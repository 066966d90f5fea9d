"""``manage.py models``: a hub on this machine, whole downloads, and everything that breaks them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from filelock import FileLock

from sessions_app.engines.base import TranslationRequest
from sessions_app.engines.model_hub import catalogue
from sessions_app.engines.model_hub.kinds import SHAPES
from sessions_app.engines.synthesizers import piper
from sessions_app.engines.translators import ctranslate2
from sessions_app.engines.urls import EngineContext, parse_chain
from sessions_app.engines.whisper.model_files import locate
from tests.e2e.server import free_port
from tests.fakes.model_hub import FakeHub, running_hub
from tests.fakes.translation_models import make_model

ROOT = Path(__file__).parents[2]
OPUS = "michaelfeil/ct2fast-opus-mt-en-es"
WHISPER = "Systran/faster-whisper-tiny"
VOICE = "es/es_ES/davefx/medium/es_ES-davefx-medium.onnx"
WEIGHTS = bytes(range(256)) * 8000  # 2 MB


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("made") / "opus-mt-en-es")


@pytest.fixture
def hub(settings, tmp_path: Path, tiny_model: Path) -> Iterator[FakeHub]:
    with running_hub() as hub:
        settings.DATA_DIR = tmp_path
        settings.HF_ENDPOINT = hub.endpoint
        settings.HF_TOKEN = ""
        hub.add_folder(OPUS, tiny_model)
        hub.repositories[OPUS]["model.bin"] = WEIGHTS
        hub.repositories[WHISPER] = {
            "model.bin": WEIGHTS, "config.json": b"{}", "tokenizer.json": b"{}",
            "vocabulary.txt": b"a\n", "flax_model.msgpack": b"not wanted",
        }  # fmt: skip
        description = {"audio": {"sample_rate": 22050}, "language": {"code": "es_ES"}}
        hub.repositories[catalogue.VOICES_REPO] = {
            VOICE: WEIGHTS, f"{VOICE}.json": json.dumps(description).encode(),
        }  # fmt: skip
        yield hub


def models(*arguments: str) -> None:
    call_command("models", *arguments)


def partial(tmp_path: Path, name: str = "opus-mt-en-es") -> Path:
    return tmp_path / "models" / ".partial" / name


# -- whole downloads ---------------------------------------------------------------------------


@pytest.mark.engine
async def test_a_fetched_model_translates(hub: FakeHub, tmp_path: Path, tiny_model: Path, capsys):
    hub.add_folder(OPUS, tiny_model)
    models("get", "opus-mt-en-es")
    here = tmp_path / "models" / "opus-mt-en-es"
    assert (here / "model.bin").read_bytes() == (tiny_model / "model.bin").read_bytes()
    assert not (here / "README.md").exists()
    said = capsys.readouterr().out
    for line in ("licence Apache-2.0\n", "setting TRANSLATOR_URL=ctranslate2://opus-mt-en-es\n"):
        assert line in said
    [url] = parse_chain("ctranslate2://opus-mt-en-es")
    engine = ctranslate2.from_url(url, EngineContext(tmp_path))
    assert engine.pairs() == {("en", "es")}
    try:
        await engine.start()
        assert isinstance(await engine.translate(TranslationRequest("hello", "en", "es")), str)
    finally:
        await engine.close()


def test_a_fetched_whisper_model_is_what_its_url_names(hub: FakeHub, tmp_path: Path, capsys):
    models("get", "whisper-tiny")
    assert "setting TRANSCRIBER_URL=whisper://tiny\n" in capsys.readouterr().out
    here = locate("tiny", tmp_path / "models")
    assert here == tmp_path / "models" / "whisper-tiny"
    assert {path.name for path in here.iterdir()} == {
        "model.bin", "config.json", "tokenizer.json", "vocabulary.txt"
    }  # fmt: skip


def test_a_fetched_voice_is_one_of_piper(hub: FakeHub, tmp_path: Path, capsys):
    models("get", "piper-es_ES-davefx-medium")
    assert 'the voice "es_ES-davefx-medium"' in capsys.readouterr().out
    [url] = parse_chain("piper://")
    languages = {
        voice.name: voice.language for voice in piper.from_url(url, EngineContext(tmp_path)).voices
    }
    assert languages["es_ES-davefx-medium"].startswith("es")


def test_any_voice_of_the_collection_can_be_named(hub: FakeHub, tmp_path: Path, capsys):
    path = "pt/pt_PT/tugão/medium/pt_PT-tugão-medium.onnx"
    files = hub.repositories[catalogue.VOICES_REPO]
    hub.repositories[catalogue.VOICES_REPO] = {
        path: WEIGHTS,
        f"{path}.json": files[f"{VOICE}.json"],
    }
    models("get", "piper-pt_PT-tugão-medium")
    assert (tmp_path / "voices" / "pt_PT-tugão-medium.onnx").read_bytes() == WEIGHTS
    assert "MODEL_CARD" in capsys.readouterr().out  # where its licence is


@pytest.mark.parametrize(
    ("repo", "arguments", "name", "setting"),
    [
        ("gaudi/opus-mt-en-es-ctranslate2", [], "opus-mt-en-es", "ctranslate2://opus-mt-en-es"),
        ("me/translator", ["--name", "mine-en-es"], "mine-en-es", "ctranslate2://mine-en-es"),
        ("me/faster-whisper-mine", [], "whisper-mine", "whisper://mine"),
        ("me/my-ears", ["--name", "mine"], "whisper-mine", "whisper://mine"),
    ],
)
def test_a_model_of_the_hub_is_recognized_by_its_files(
    hub: FakeHub, capsys, repo: str, arguments: list[str], name: str, setting: str
):
    hub.repositories[repo] = hub.repositories[OPUS if "ctranslate2" in setting else WHISPER]
    models("get", f"hf:{repo}", *arguments)
    said = capsys.readouterr().out
    assert f"Installed {name} (" in said
    assert f"{setting}\n" in said


def test_a_card_that_states_another_licence_is_quoted(hub: FakeHub, capsys):
    hub.licence = "mit\x1b[2J"
    models("get", "opus-mt-en-es")
    assert "Apache-2.0 (the card of this conversion says mit[2J)" in capsys.readouterr().out


def test_an_installed_model_is_not_fetched_again(hub: FakeHub, capsys):
    models("get", "opus-mt-en-es")
    hub.status = 500
    models("get", "opus-mt-en-es")
    assert "opus-mt-en-es is installed in" in capsys.readouterr().out


def test_the_token_is_sent_to_the_hub_and_not_to_its_storage(hub: FakeHub, settings):
    hub.token = settings.HF_TOKEN = "hf_secret"
    models("get", "opus-mt-en-es")
    sent = {(each.storage, "authorization" in each.headers) for each in hub.asked}
    assert sent == {(False, True), (True, False)}


# -- downloads that break off ------------------------------------------------------------------


def test_a_download_goes_on_by_itself_where_it_broke_off(hub: FakeHub, tmp_path: Path):
    hub.break_off = [1_000_000, 500_000]
    models("get", "opus-mt-en-es")
    assert (tmp_path / "models/opus-mt-en-es/model.bin").read_bytes() == WEIGHTS
    # The hub passes it on to its storage.
    assert hub.ranges_asked() == ["bytes=1000000-"] * 2 + ["bytes=1500000-"] * 2


def test_without_ranges_it_begins_anew(hub: FakeHub, tmp_path: Path):
    hub.ranges = False
    hub.break_off = [1_000_000]
    models("get", "opus-mt-en-es")
    assert (tmp_path / "models/opus-mt-en-es/model.bin").read_bytes() == WEIGHTS


def test_what_has_arrived_is_kept_when_the_hub_goes_away(hub: FakeHub, tmp_path: Path):
    hub.break_off = [1_000_000, 0]
    with pytest.raises(CommandError, match="broke off") as refusal:
        models("get", "opus-mt-en-es")
    assert "Run this again to go on" in str(refusal.value)
    assert (partial(tmp_path) / "model.bin").stat().st_size == 1_000_000
    hub.asked.clear()
    models("get", "opus-mt-en-es")
    assert {Path(each.path).name for each in hub.asked} == {"model.bin"}
    assert hub.ranges_asked()[0] == "bytes=1000000-"
    assert (tmp_path / "models/opus-mt-en-es/model.bin").read_bytes() == WEIGHTS
    assert not partial(tmp_path).exists()


def test_a_killed_process_leaves_no_model_and_the_next_one_goes_on(hub: FakeHub, tmp_path: Path):
    hub.stall_at = 1_500_000
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "models", "get", "opus-mt-en-es"],
        env={**os.environ, "KALLGLOT_DATA_DIR": str(tmp_path), "HF_ENDPOINT": hub.endpoint,
             "DJANGO_SETTINGS_MODULE": "kallglot_site.settings"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    shown = next((line for line in process.stderr if ": 7" in line), "")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert re.fullmatch(r"opus-mt-en-es: 7\d% of 2 MB\n", shown)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".partial"]
    hub.stall_at = None
    hub.asked.clear()
    models("get", "opus-mt-en-es")
    assert hub.ranges_asked()
    assert (tmp_path / "models/opus-mt-en-es/model.bin").read_bytes() == WEIGHTS


def test_a_partial_download_of_another_version_is_thrown_away(hub: FakeHub, tmp_path: Path):
    partial(tmp_path).mkdir(parents=True)
    (partial(tmp_path) / "model.bin").write_bytes(b"of another version")
    (partial(tmp_path) / "shared_vocabulary.txt").write_bytes(b"of another version")
    models("get", "opus-mt-en-es")
    here = tmp_path / "models" / "opus-mt-en-es"
    assert (here / "model.bin").read_bytes() == WEIGHTS
    assert not (here / "shared_vocabulary.txt").exists()


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("checksums", [True, False], ids=["of the list", "of the redirect"])
def test_a_wrong_checksum_leaves_nothing(hub: FakeHub, tmp_path: Path, checksums: bool):
    hub.checksums = checksums
    hub.served["model.bin"] = WEIGHTS[::-1]
    with pytest.raises(CommandError, match=r"model\.bin .* has not the checksum"):
        models("get", "opus-mt-en-es")
    assert not (tmp_path / "models" / "opus-mt-en-es").exists()
    assert not (partial(tmp_path) / "model.bin").exists()


def test_the_checksum_of_a_small_file_counts_too(hub: FakeHub, tmp_path: Path):
    size = len(hub.repositories[OPUS]["config.json"])
    hub.served["config.json"] = b"x" * size
    with pytest.raises(CommandError, match=r"config\.json .* has not the checksum"):
        models("get", "opus-mt-en-es")


def test_more_than_the_hub_named_is_not_kept(hub: FakeHub, tmp_path: Path):
    hub.served["model.bin"] = WEIGHTS + b"more"
    with pytest.raises(CommandError, match=r"more of model\.bin than the 2,048,000 bytes"):
        models("get", "opus-mt-en-es")
    assert (partial(tmp_path) / "model.bin").stat().st_size == 0


def test_a_range_that_the_hub_does_not_have_is_begun_anew(hub: FakeHub, tmp_path: Path):
    partial(tmp_path).mkdir(parents=True)
    (partial(tmp_path) / "model.bin").write_bytes(WEIGHTS[:1000])
    hub.served["model.bin"] = b"short"
    with pytest.raises(CommandError, match=r"less of model\.bin"):
        models("get", "opus-mt-en-es")
    assert (partial(tmp_path) / "model.bin").stat().st_size == 0
    del hub.served["model.bin"]
    models("get", "opus-mt-en-es")
    assert (tmp_path / "models/opus-mt-en-es/model.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    "path", ["../model.bin", "/model.bin", "a/../model.bin", "..\\model.bin", "model.bin\n"]
)
def test_a_file_name_that_leads_elsewhere_is_not_used(hub: FakeHub, tmp_path: Path, path: str):
    rows = hub.description(OPUS)["siblings"]
    hub.listed[OPUS] = [
        {**row, "rfilename": path if row["rfilename"] == "model.bin" else row["rfilename"]}
        for row in rows
    ]
    with pytest.raises(CommandError, match=r"of no use here: model\.bin is missing"):
        models("get", "opus-mt-en-es")
    assert list(tmp_path.iterdir()) == []


def test_a_file_name_with_control_characters_is_not_used(hub: FakeHub, tmp_path: Path):
    hub.repositories[WHISPER]["vocabulary.\x1b[2J"] = b"matches vocabulary.*"
    models("get", "whisper-tiny")
    assert {path.name for path in (tmp_path / "models" / "whisper-tiny").iterdir()} == {
        "model.bin", "config.json", "tokenizer.json", "vocabulary.txt"
    }  # fmt: skip


def test_a_repository_without_weights_is_refused_before_anything_is_fetched(hub: FakeHub):
    del hub.repositories[OPUS]["model.bin"]
    with pytest.raises(CommandError, match=r"model\.bin is missing"):
        models("get", "opus-mt-en-es")
    assert hub.asked == []


@pytest.mark.parametrize(
    "description", [{}, {"language": {"code": "es_ES"}}, {"audio": {"sample_rate": 1}}]
)
def test_a_description_of_no_voice_is_refused_before_the_weights_are_fetched(
    hub: FakeHub, description: dict[str, Any]
):
    hub.repositories[catalogue.VOICES_REPO][f"{VOICE}.json"] = json.dumps(description).encode()
    with pytest.raises(CommandError, match="not the description of a Piper voice"):
        models("get", "piper-es_ES-davefx-medium")
    assert Path(VOICE).name not in {Path(each.path).name for each in hub.asked}


def test_a_name_without_its_pair_is_refused_before_the_weights_are_fetched(hub: FakeHub):
    hub.repositories["me/translator"] = hub.repositories[OPUS]
    with pytest.raises(CommandError, match="--name opus-mt-en-es"):
        models("get", "hf:me/translator")
    assert "model.bin" not in {Path(each.path).name for each in hub.asked}


@pytest.mark.parametrize(
    ("status", "says"),
    [(404, "The hub has no"), (403, "HF_TOKEN"), (500, "try again later"), (418, "answered 418")],
)
def test_an_error_of_the_hub_says_what_to_do(hub: FakeHub, status: int, says: str):
    hub.status = status
    with pytest.raises(CommandError, match=says):
        models("get", "opus-mt-en-es")


def test_a_server_that_is_no_hub_names_the_setting(hub: FakeHub):
    hub.listed[OPUS] = [{"name": "x"}]
    with pytest.raises(CommandError, match="check HF_ENDPOINT"):
        models("get", "opus-mt-en-es")


def test_without_a_network_it_says_how_to_copy_a_model(settings, tmp_path: Path):
    settings.DATA_DIR = tmp_path
    settings.HF_ENDPOINT = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(CommandError) as refusal:
        models("get", "opus-mt-en-es")
    reason, remedy = str(refusal.value).splitlines()
    assert "cannot be reached" in reason
    assert f"hf download {OPUS}" in remedy
    assert str(tmp_path / "models" / "opus-mt-en-es") in remedy
    with pytest.raises(CommandError, match=r"copy both files to .*voices"):
        models("get", "piper-es_ES-davefx-medium")


def test_too_small_a_disk_is_noticed_before_the_download(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1_000_000))
    with pytest.raises(CommandError, match=r"needs 69 MB, and the disk of .* has 1 MB free"):
        models("get", "opus-mt-en-es")
    assert hub.asked == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_is_said_in_a_sentence(hub: FakeHub, tmp_path: Path):
    partial(tmp_path).mkdir(parents=True)
    (partial(tmp_path) / "config.json").symlink_to("/dev/full")
    with pytest.raises(CommandError, match=r"is full\. Free some space"):
        models("get", "opus-mt-en-es")


def test_a_file_in_the_place_of_the_folder_is_said_in_a_sentence(hub: FakeHub, tmp_path: Path):
    (tmp_path / "models").touch()
    with pytest.raises(CommandError, match=r"models.*: Not a directory\."):
        models("get", "opus-mt-en-es")


def test_two_processes_do_not_fetch_the_same_model(hub: FakeHub, tmp_path: Path):
    partial(tmp_path).parent.mkdir(parents=True)
    with FileLock(f"{partial(tmp_path)}.lock"):
        for action in ("get", "remove"):
            partial(tmp_path).mkdir(exist_ok=True)
            with pytest.raises(CommandError, match="Another process"):
                models(action, "opus-mt-en-es")
    models("get", "opus-mt-en-es")


def test_a_folder_that_is_no_model_is_not_replaced(hub: FakeHub, tmp_path: Path):
    (tmp_path / "models" / "opus-mt-en-es").mkdir(parents=True)
    with pytest.raises(CommandError, match="move it away first"):
        models("get", "opus-mt-en-es")


@pytest.mark.parametrize(
    "arguments",
    [
        ["get", "parrot"], ["get", "hf:parrot"], ["get", "hf:../parrot"], ["get", "hf:a/b/c"],
        ["get", "hf:a/b", "--name", "../b"], ["get", "whisper-tiny", "--name", "b"],
        ["remove", "parrot"], ["remove", "../models"], ["remove", ".partial"], ["remove", "/"],
        ["remove", "hub"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_name_is_one_line(hub: FakeHub, tmp_path: Path, arguments: list[str]):
    (tmp_path / "models" / "hub").mkdir(parents=True)
    with pytest.raises(CommandError) as refusal:
        models(*arguments)
    assert len(str(refusal.value).splitlines()) == 1
    assert (tmp_path / "models" / "hub").is_dir()


# -- list and remove ---------------------------------------------------------------------------


def test_the_list_says_what_is_here_and_what_can_be_had(hub: FakeHub, tmp_path: Path, capsys):
    for name in ("opus-mt-en-es", "whisper-tiny", "piper-es_ES-davefx-medium"):
        models("get", name)
    (tmp_path / "models" / "notes").mkdir()
    capsys.readouterr()
    models("list")
    here, _, offered = capsys.readouterr().out.partition("To be had")
    assert [line.split()[:4] for line in here.splitlines()[1:4]] == [
        ["opus-mt-en-es", "translation", "2", "MB"],
        ["piper-es_ES-davefx-medium", "voice", "2", "MB"],
        ["whisper-tiny", "whisper", "2", "MB"],
    ]
    assert "opus-mt-en-es " not in offered
    assert "opus-mt-es-en " in offered
    models("list", "--json")
    listed = json.loads(capsys.readouterr().out)
    sizes = {each["name"]: each["bytes"] for each in listed["installed"]}
    assert sizes["whisper-tiny"] == len(WEIGHTS) + len(b"{}{}a\n")
    assert {each["name"] for each in listed["available"] if each["installed"]} == sizes.keys()


def test_a_removed_model_is_gone(hub: FakeHub, tmp_path: Path, capsys):
    for name in ("opus-mt-en-es", "whisper-tiny", "piper-es_ES-davefx-medium"):
        models("get", name)
        models("remove", name)
        assert f"Removed {name} (2 MB)" in capsys.readouterr().out
    for folder in ("models", "voices"):
        assert [path.name for path in (tmp_path / folder).iterdir()] == [".partial"]


def test_what_was_fetched_of_a_model_can_be_removed(hub: FakeHub, tmp_path: Path):
    hub.break_off = [1_000_000, 0]
    with pytest.raises(CommandError):
        models("get", "opus-mt-en-es")
    models("remove", "opus-mt-en-es")
    assert not partial(tmp_path).exists()


def test_a_linked_model_loses_only_its_link(hub: FakeHub, tmp_path: Path, tiny_model: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "opus-mt-en-es").symlink_to(tiny_model)
    models("remove", "opus-mt-en-es")
    assert not (tmp_path / "models" / "opus-mt-en-es").exists()
    assert (tiny_model / "model.bin").is_file()


def test_every_entry_of_the_catalogue_is_complete():
    entries = catalogue.entries()
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.kind in SHAPES
        assert entry.licence
        assert entry.about
        assert entry.megabytes > 0
        assert catalogue.find(entry.name) is entry
        assert (entry.kind == "voice") == bool(entry.files)
