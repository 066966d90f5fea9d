"""The Hugging Face hub over HTTP: what a repository holds, and its files.

Sources: https://huggingface.co/docs/hub/api and the client ``huggingface_hub``. A file is at
``/OWNER/REPO/resolve/COMMIT/PATH``; large ones are redirected to a storage that takes ``Range``.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx

from kallglot_site.version import VERSION
from sessions_app.engines.model_hub.errors import HubUnreachable, ModelError

_TIMEOUT: Final = httpx.Timeout(60.0, connect=20.0)  # s; 60 of them for each read
_MOST_LISTED: Final = 32 * 1024 * 1024  # bytes of a repository's description
_MOST_CONNECTIONS: Final = 20  # for one file that breaks off again and again
_NO_SUCH_RANGE: Final = httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_PATH: Final = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*")

Report = Callable[[int], None]
"""Called with the bytes of a file that are here."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository. ``size`` in bytes; of the checksums at most one is known."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit. ``licence`` is what its card says, or empty."""

    name: str
    commit: str
    licence: str
    files: dict[str, HubFile]


class Hub:
    """A client of the hub at ``endpoint``. The token is sent to no other host."""

    def __init__(self, endpoint: str, token: str = "", *, timeout: Any = _TIMEOUT) -> None:
        self.endpoint = endpoint.rstrip("/")
        headers = {"User-Agent": f"kallglot/{VERSION}", "Accept-Encoding": "identity"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = httpx.Client(headers=headers, timeout=timeout, follow_redirects=True)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def repository(self, name: str) -> Repository:
        """What the repository holds now. Raises ModelError."""
        url = f"{self.endpoint}/api/models/{name}/revision/main"
        with self._get(url, name, params={"blobs": "true"}) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MOST_LISTED:
                    raise ModelError(f"{name}: the list of its files is too long.")
        try:
            return _repository(name, json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ModelError(
                f"{self.endpoint} does not answer like the Hugging Face hub: check HF_ENDPOINT."
            ) from None

    def download(self, repository: Repository, file: HubFile, target: Path, report: Report) -> None:
        """Write ``file`` to ``target``, going on after what is there. Its checksum is right then.

        Raises ModelError; what has arrived is kept for the next time, unless it is wrong.
        """
        resumed = target.is_file()
        sha256 = self._fetch(repository, file, target, report)
        if _matches(file, sha256, target):
            return
        target.unlink()
        if resumed:  # begun with another version of the file, perhaps
            sha256 = self._fetch(repository, file, target, report)
            if _matches(file, sha256, target):
                return
            target.unlink()
        raise ModelError(
            f"{file.name} of {repository.name} has not the checksum that the hub names. "
            "It was deleted: try again, or another HF_ENDPOINT."
        )

    def _fetch(self, repository: Repository, file: HubFile, target: Path, report: Report) -> str:
        """Fetch what is missing; returns the SHA-256 that the hub names, or nothing."""
        path = quote(file.path)
        url = f"{self.endpoint}/{repository.name}/resolve/{repository.commit}/{path}"
        sha256 = file.sha256
        target.touch()
        for _ in range(_MOST_CONNECTIONS):
            have = target.stat().st_size
            if have >= file.size:
                return sha256
            try:
                sha256 = self._append(url, repository.name, file, target, report) or sha256
            except HubUnreachable:
                if target.stat().st_size <= have:
                    raise
        if target.stat().st_size < file.size:
            raise HubUnreachable(f"The connection to {self.endpoint} breaks off again and again.")
        return sha256

    def _append(self, url: str, repo: str, file: HubFile, target: Path, report: Report) -> str:
        have = target.stat().st_size
        ask = {"Range": f"bytes={have}-"} if have else {}
        with self._get(url, repo, headers=ask) as response, target.open("ab") as out:
            if response.status_code == _NO_SUCH_RANGE:
                out.truncate(0)
                raise HubUnreachable(f"The hub has less of {file.name} than it says: try again.")
            begins = response.headers.get("Content-Range", "")
            if have and not begins.startswith(f"bytes {have}-"):
                out.truncate(have := 0)  # the whole file comes
            for chunk in response.iter_raw():
                have += len(chunk)
                if have > file.size:
                    out.truncate(0)
                    raise ModelError(
                        f"{self.endpoint} sends more of {file.name} than the {file.size:,} bytes "
                        "that it named. Nothing was kept."
                    )
                out.write(chunk)
                report(have)
            out.flush()
            os.fsync(out.fileno())
        return _linked_sha256(response)

    @contextmanager
    def _get(self, url: str, repo: str, **options: Any) -> Iterator[httpx.Response]:
        """A response that is an answer. Raises HubUnreachable or ModelError."""
        try:
            with self._client.stream("GET", url, **options) as response:
                if not response.is_success and response.status_code != _NO_SUCH_RANGE:
                    raise _refusal(response, repo)
                yield response
        except httpx.RequestError as error:
            raise HubUnreachable(
                f"{self.endpoint} cannot be reached or broke off ({type(error).__name__})."
            ) from None


def _refusal(response: httpx.Response, repo: str) -> ModelError:
    status = response.status_code
    if status in (401, 403, 404):
        # The hub answers 401 for a repository that does not exist, too.
        return ModelError(
            f"The hub has no {repo} for this user, or not this file of it ({status}). Private "
            "and gated models need HF_TOKEN, and their terms accepted on their page."
        )
    if status == 429 or status >= 500:
        return HubUnreachable(f"The hub answered {status}: try again later.")
    return ModelError(f"The hub answered {status} for {repo}.")


def _repository(name: str, answer: dict[str, Any]) -> Repository:
    files = [_file(row) for row in answer["siblings"]]
    commit = answer["sha"]
    if not _SHA1.fullmatch(commit):
        raise ValueError
    card = answer.get("cardData") or {}
    licence = card.get("license_name") or card.get("license") or ""
    licence = ", ".join(licence) if isinstance(licence, list) else str(licence)
    printable = "".join(character for character in licence if character.isprintable())
    return Repository(name, commit, printable[:80], {file.path: file for file in files if file})


def _file(row: dict[str, Any]) -> HubFile | None:
    """None: its path is not one that is ever used here, such as ``../x`` or ``/x``."""
    path, lfs = row["rfilename"], row.get("lfs") or {}
    size = lfs.get("size", row.get("size"))
    if not _PATH.fullmatch(path) or not isinstance(size, int) or size < 0:
        return None
    sha256 = str(lfs.get("sha256") or lfs.get("oid") or "").removeprefix("sha256:")
    if _SHA256.fullmatch(sha256):
        return HubFile(path, size, sha256=sha256)
    blob = str(row.get("blobId") or "")
    # A large file's is that of its pointer.
    return HubFile(path, size, git_sha1=blob if not lfs and _SHA1.fullmatch(blob) else "")


def _linked_sha256(response: httpx.Response) -> str:
    for each in (*response.history, response):
        tag = str(each.headers.get("X-Linked-Etag", "")).removeprefix("W/").strip('"')
        if _SHA256.fullmatch(tag):
            return tag
    return ""


def _matches(file: HubFile, sha256: str, target: Path) -> bool:
    """Whether the file has its size and checksum. Without a checksum, the size has to do."""
    if target.stat().st_size != file.size:
        return False
    with target.open("rb") as content:
        if sha256 := file.sha256 or sha256:
            return hashlib.file_digest(content, "sha256").hexdigest() == sha256
        if file.git_sha1:
            digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
            while chunk := content.read(1024 * 1024):
                digest.update(chunk)
            return digest.hexdigest() == file.git_sha1
    return True
