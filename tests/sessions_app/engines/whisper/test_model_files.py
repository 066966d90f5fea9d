import hashlib
import socket
import sys
from pathlib import Path

import huggingface_hub
import pytest

from sessions_app.engines.base import EngineMisconfigured, EngineUnavailable
from sessions_app.engines.whisper import model_files
from sessions_app.engines.whisper.model_files import Packaged, locate

WEIGHTS = b"left half" + b"right half"


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model installed as two data packages."""
    for package, part in (("tiny_left", b"left half"), ("tiny_right", b"right half")):
        data = tmp_path / "site" / package / "data"
        data.mkdir(parents=True)
        (data.parent / "__init__.py").touch()
        (data / f"model.bin.{package}").write_bytes(part)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / "site" / "tiny_left" / "data" / name).write_text(name)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    tiny = Packaged(
        packages=("tiny_left", "tiny_right"),
        parts=("model.bin.tiny_left", "model.bin.tiny_right"),
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )
    monkeypatch.setitem(model_files.PACKAGED, "tiny", tiny)


@pytest.mark.usefixtures("packaged")
def test_installed_parts_are_joined_once(tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    models = tmp_path / "models"
    directory = locate("tiny", models, lambda what, done, total: reports.append((done, total)))
    assert (directory / "model.bin").read_bytes() == WEIGHTS
    assert (directory / "tokenizer.json").is_file()
    assert reports[-1] == (len(WEIGHTS), len(WEIGHTS))
    reports.clear()
    assert locate("tiny", models, lambda *report: reports.append(report[1:])) == directory
    assert reports == []


@pytest.mark.usefixtures("packaged")
def test_damaged_parts_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "site" / "tiny_right" / "data" / "model.bin.tiny_right").write_bytes(b"rot")
    with pytest.raises(EngineMisconfigured, match="reinstall"):
        locate("tiny", tmp_path / "models")
    assert [path.name for path in (tmp_path / "models").iterdir() if path.is_dir()] == []


def test_a_given_directory_is_used_as_it_is(tmp_path: Path) -> None:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).touch()
    assert locate(str(tmp_path), tmp_path / "models") == tmp_path


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineMisconfigured, match=r"model\.bin is missing"):
        locate(str(tmp_path), tmp_path / "models")


def test_an_unknown_size_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(EngineMisconfigured, match="large-v3"):
        locate("enormous", tmp_path)


def test_a_hub_that_accepts_and_never_answers_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        monkeypatch.setattr(model_files, "_HUB_TIMEOUT", 0.2)
        with pytest.raises(EngineUnavailable, match="cannot download"):
            locate("tiny", tmp_path)


@pytest.mark.parametrize(
    ("name", "folder"), [("turbo", "whisper-large-v3-turbo"), ("small", "whisper-small")]
)
def test_a_model_in_the_data_directory_is_used_under_each_of_its_names(
    tmp_path: Path, name: str, folder: str
) -> None:
    directory = tmp_path / folder
    directory.mkdir()
    for file in ("model.bin", "config.json", "tokenizer.json"):
        (directory / file).touch()
    assert locate(name, tmp_path) == directory


def test_a_copied_model_that_is_not_whole_names_the_missing_file(tmp_path: Path) -> None:
    (tmp_path / "whisper-small").mkdir()
    (tmp_path / "whisper-small" / "model.bin").touch()
    with pytest.raises(EngineMisconfigured, match=r"config\.json is missing"):
        locate("small", tmp_path)
