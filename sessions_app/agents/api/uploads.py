"""Files that come as ``multipart/form-data``: the one body of v1 that is not JSON."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDict

from kallglot_site.api.errors import ApiError, UnknownField
from kallglot_site.api.serializers import validated
from kallglot_site.api.strict_json import BodyTooLarge, UnsupportedMediaType
from kallglot_site.http_limits import MAX_UPLOAD
from sessions_app.agents.api.serializers import DocumentUpload
from sessions_app.agents.errors import InvalidFile
from sessions_app.agents.services import MAX_TITLE

MAX_FILE: Final = 10 * 1024 * 1024
"""Bytes."""

FORMATS: Final = {
    "txt": "txt",
    "text": "txt",
    "md": "md",
    "markdown": "md",
    "html": "html",
    "htm": "html",
    "pdf": "pdf",
    "docx": "docx",
}
"""Formats by the endings of file names."""

_FORM: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file and the title of its document: the one given, else the file's name."""

    title: str
    format: str
    content: bytes

    def fingerprint(self) -> dict[str, str]:
        """A JSON value that stands for the request: the same file again gives the same one."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {"title": self.title, "format": self.format, "sha256": digest}


def is_form(request: HttpRequest) -> bool:
    content_type: str = request.META.get("CONTENT_TYPE", "")
    return content_type.partition(";")[0].strip().lower() == _FORM


def upload_read(request: HttpRequest) -> Upload:
    """The file of a form.

    Raises BodyTooLarge, InvalidFile, UnknownField, UnsupportedMediaType, DRF's ValidationError.
    """
    _encoding_check(request)
    if _length(request) > MAX_UPLOAD:
        raise _too_large()
    try:
        form, files = request.POST, request.FILES
    except MultiPartParserError as error:
        raise ApiError(f"The body is not valid {_FORM}: {error}", code="invalid_request") from None
    _names_check(files)
    fields = validated(DocumentUpload, _once(form))
    if "file" not in files:
        raise InvalidFile(
            "Send the file as the form's field `file`, with a file name.",
            code="missing_required_field",
            param="file",
        )
    file = files["file"]
    assert isinstance(file, UploadedFile)
    if file.size is None or file.size > MAX_FILE:
        raise _too_large()
    name = PurePath(file.name or "").name
    content: bytes = file.read()
    if not content:
        raise InvalidFile("The file is empty.", param="file")
    title = fields.get("title") or name.rpartition(".")[0].replace("\0", "")[:MAX_TITLE] or name
    return Upload(title, _format(name), content)


def _encoding_check(request: HttpRequest) -> None:
    """Django would decode fields by the given charset, and some of Python's codecs fail at that."""
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaType("Send the form in UTF-8: no other charset is allowed.")
    if request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


def _length(request: HttpRequest) -> int:
    """Bytes of the body. A body in chunks declares none, and Django would take it for empty."""
    declared = request.META.get("CONTENT_LENGTH")
    if not declared and isinstance(request, ASGIRequest):
        body = request._stream
        declared = request.META["CONTENT_LENGTH"] = str(body.seek(0, io.SEEK_END))
        body.seek(0)
    return int(declared[:20]) if declared and declared.isdecimal() else 0


def _names_check(files: MultiValueDict[str, Any]) -> None:
    for name, given in files.lists():
        if name != "file":
            raise UnknownField("Unknown file. Allowed: `file`.", param=name)
        if len(given) > 1:
            raise InvalidFile("Send one file at a time.", param="file")


def _once(form: Any) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, values in form.lists():
        if len(values) > 1:
            raise InvalidFile("This field may be given only once.", param=name)
        if "\0" in values[0] or "\0" in name:
            raise InvalidFile("Null characters are not allowed.", param=name.replace("\0", ""))
        fields[name] = values[0]
    return fields


def _format(name: str) -> str:
    ending = name.rpartition(".")[2].lower()
    if "." not in name or ending not in FORMATS:
        allowed = ", ".join(f"`.{each}`" for each in dict.fromkeys(FORMATS.values()))
        raise InvalidFile(f"The name of the file must end in one of: {allowed}.", param="file")
    return FORMATS[ending]


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"A file may have at most {MAX_FILE // 2**20} MB.", param="file")
