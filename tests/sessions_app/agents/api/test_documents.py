"""Documents over REST, and their reading by the worker."""

import asyncio
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kallglot_site.http_application import HttpApplication
from kallglot_site.http_limits import MAX_UPLOAD
from sessions_app.agents import services
from sessions_app.agents.api import uploads
from sessions_app.agents.knowledge.reading import documents_read_due
from sessions_app.agents.models import Document, DocumentFile, KnowledgeBase, Passage
from tests.kallglot_site.api.served_schema import assert_described, served
from tests.sessions_app.agents.api.sending import error_of, send, upload
from tests.sessions_app.agents.files import made


@pytest.fixture
def base(cast) -> KnowledgeBase:
    return services.knowledge_base_create(tenant=cast.tenant, name="Help pages")


@pytest.fixture
def path(base) -> str:
    return f"/v1/knowledge_bases/{base.id}/documents"


def test_a_text_is_read_and_found(api, base, path):
    text = "# How long does delivery take?\n\nOrders arrive within three working days."
    response = send(api, "POST", path, {"title": "Delivery", "text": text})

    created = response.json()
    assert response.status_code == 202
    assert created["id"].startswith("doc_")
    assert created | {"id": 0, "created_at": 0} == {
        "id": 0,
        "object": "document",
        "knowledge_base_id": base.id,
        "title": "Delivery",
        "format": "md",
        "size": len(text),
        "status": "processing",
        "error": None,
        "passages": 0,
        "created_at": 0,
    }

    documents_read_due()

    read = send(api, "GET", f"{path}/{created['id']}").json()
    assert read == created | {"status": "ready", "passages": 1}
    found = send(api, "POST", f"/v1/knowledge_bases/{base.id}/search", {"query": "deliver"}).json()
    assert found["data"] == [
        {
            "object": "passage",
            "document_id": created["id"],
            "title": "Delivery",
            "heading": "How long does delivery take?",
            "text": "Orders arrive within three working days.",
            "score": 1.0,
        }
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("faq.md", made.TEXT.encode()),
        ("FAQ.TXT", made.TEXT.encode()),
        ("page.html", made.HTML.encode()),
        ("page.docx", made.docx_file()),
        ("page.pdf", made.pdf_file()),
    ],
)
def test_a_file_of_each_format_is_read(api, path, name, content):
    response = upload(api, path, name, content)

    assert response.status_code == 202
    assert response.json()["title"] == name.rpartition(".")[0]
    documents_read_due()
    read = send(api, "GET", f"{path}/{response.json()['id']}").json()
    assert (read["status"], read["error"]) == ("ready", None)
    assert any("three working days" in each.text for each in Passage.objects.all())


def test_a_file_that_cannot_be_read_is_failed_with_its_reason(api, path):
    document = upload(api, path, "scan.pdf", made.pdf_file("")).json()

    for _ in range(3):
        documents_read_due()

    read = send(api, "GET", f"{path}/{document['id']}").json()
    assert read["status"] == "failed"
    assert "OCR" in read["error"]
    assert Document.objects.get().attempts == 0  # it is not tried again
    assert [each["id"] for each in send(api, "GET", f"{path}?status=failed").json()["data"]] == [
        document["id"]
    ]
    assert send(api, "GET", f"{path}?status=ready").json()["data"] == []


def test_a_title_may_be_given_with_the_file(api, path):
    assert upload(api, path, "a.txt", b"x", title="Prices").json()["title"] == "Prices"


def test_wrong_forms_are_refused(api, path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILE", 1000)
    assert error_of(upload(api, path, "a.exe", b"x")) == (422, "invalid_field_value", "file")
    assert error_of(upload(api, path, "noending", b"x")) == (422, "invalid_field_value", "file")
    assert error_of(upload(api, path, "a.txt", b"")) == (422, "invalid_field_value", "file")
    assert error_of(upload(api, path, "a.txt", b"x" * 1001)) == (413, "body_too_large", "file")
    assert error_of(upload(api, path, "a.txt", b"x", titel="t")) == (422, "unknown_field", "titel")
    assert error_of(upload(api, path, "a.txt", b"x", title="t" * 301)) == (
        422, "invalid_field_value", "title"
    )  # fmt: skip
    assert error_of(api.post(path, {"title": "t"})) == (422, "missing_required_field", "file")
    assert error_of(api.post(path, {"file": "text"})) == (422, "unknown_field", "file")
    two = [made_file(), made_file()]
    assert error_of(api.post(path, {"file": two})) == (422, "invalid_field_value", "file")
    assert error_of(api.post(path, {"file": made_file(), "other": made_file()})) == (
        422, "unknown_field", "other"
    )  # fmt: skip
    malformed = api.generic("POST", path, b"x", content_type="multipart/form-data")
    assert error_of(malformed) == (400, "invalid_request", None)
    assert not Document.objects.exists()


@pytest.mark.parametrize("charset", ["zip", "undefined", "idna", "punycode", "utf-16", "latin-1"])
def test_a_form_in_another_charset_is_refused(api, path, charset):
    form = (
        b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\ncaf\xc3\xa9\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        b"x\r\n--b--\r\n"
    )
    kind = "multipart/form-data; boundary=b; charset="
    refused = api.generic("POST", path, form, content_type=kind + charset)
    assert error_of(refused) == (415, "unsupported_media_type", None)
    assert api.generic("POST", path, form, content_type=kind + "UTF-8").json()["title"] == "café"


def test_a_compressed_form_is_refused(api, path):
    refused = upload(api, path, "a.txt", b"x", headers={"Content-Encoding": "gzip"})
    assert error_of(refused) == (415, "unsupported_media_type", None)


def made_file():
    return SimpleUploadedFile("a.txt", b"x")


def test_other_bodies_and_wrong_json_are_refused(api, path):
    plain = api.generic("POST", path, b"x", content_type="text/plain")
    assert error_of(plain) == (415, "unsupported_media_type", None)
    assert error_of(send(api, "POST", path, {"title": "t"})) == (
        422, "missing_required_field", "text"
    )  # fmt: skip
    assert error_of(send(api, "POST", path, {"title": "", "text": "x"}))[2] == "title"
    # Everywhere else a form is refused as before.
    assert error_of(upload(api, "/v1/agents", "a.txt", b"x"))[:2] == (415, "unsupported_media_type")


def test_the_same_upload_with_one_key_makes_one_document(api, path):
    key = {"Idempotency-Key": "once"}
    first = upload(api, path, "a.txt", b"x", headers=key)
    again = upload(api, path, "a.txt", b"x", headers=key)
    other = upload(api, path, "a.txt", b"y", headers=key)

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert error_of(other)[:2] == (400, "idempotency_mismatch")
    assert Document.objects.count() == 1


def test_a_deleted_document_leaves_nothing(api, base, path):
    send(api, "POST", path, {"title": "Delivery", "text": "Orders arrive soon."})
    documents_read_due()
    (document,) = send(api, "GET", path).json()["data"]

    assert send(api, "DELETE", f"{path}/{document['id']}").status_code == 204

    assert send(api, "GET", f"{path}/{document['id']}").status_code == 404
    assert not Passage.objects.exists()
    assert not DocumentFile.objects.exists()
    search = f"/v1/knowledge_bases/{base.id}/search"
    assert send(api, "POST", search, {"query": "orders"}).json()["data"] == []


def test_a_base_has_a_limited_number_of_documents(api, path, monkeypatch):
    monkeypatch.setattr(services, "MAX_DOCUMENTS", 1)
    assert upload(api, path, "a.txt", b"x").status_code == 202
    assert error_of(upload(api, path, "a.txt", b"x")) == (422, "invalid_field_value", None)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x" * 1001}, "query"),
        ({"query": "x", "limit": 21}, "limit"),
        ({"query": "x", "limit": "3"}, "limit"),
        ({"query": "x", "top": 3}, "top"),
    ],
)
def test_a_wrong_search_is_refused(api, base, body, param):
    response = send(api, "POST", f"/v1/knowledge_bases/{base.id}/search", body)
    assert (response.status_code, error_of(response)[2]) == (422, param)


def test_answers_fit_the_schema(api, base, path):
    document = served(api)
    bases, one = "/v1/knowledge_bases", "/v1/knowledge_bases/{knowledge_base_id}"
    added = send(api, "POST", path, {"title": "Delivery", "text": "Orders arrive."})
    documents_read_due()
    found = send(api, "POST", f"{bases}/{base.id}/search", {"query": "orders"})
    assert found.json()["data"]
    assert_described(document, "post", bases, send(api, "POST", bases, {"name": "x"}))
    assert_described(document, "get", bases, send(api, "GET", bases))
    assert_described(document, "post", f"{one}/documents", added)
    assert_described(document, "get", f"{one}/documents", send(api, "GET", path))
    assert_described(document, "post", f"{one}/search", found)
    request = document["paths"][f"{one}/documents"]["post"]["requestBody"]["content"]
    assert set(request) == {"application/json", "multipart/form-data"}


@pytest.mark.django_db(transaction=True)
def test_a_file_of_ten_megabytes_passes_the_server(cast, path):
    """The limit of other bodies is 1 MB, and the rest of a longer one is dropped."""
    largest = asyncio.run(posted(cast.key, path, b"x" * uploads.MAX_FILE))
    assert largest == 202
    assert len(DocumentFile.objects.get().content) == uploads.MAX_FILE
    assert asyncio.run(posted(cast.key, path, b"x" * MAX_UPLOAD)) == 413


@pytest.mark.django_db(transaction=True)
def test_a_form_may_come_in_chunks_without_its_length(cast, path):
    assert asyncio.run(posted(cast.key, path, b"chunks", declared=False)) == 202
    assert bytes(DocumentFile.objects.get().content) == b"chunks"
    assert asyncio.run(posted(cast.key, path, b"x" * MAX_UPLOAD, declared=False)) == 413


async def posted(key: str, path: str, content: bytes, *, declared: bool = True) -> int:
    """The status of an upload through the ASGI application, in chunks."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        + content
        + b"\r\n--b--\r\n"
    )
    parts = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    sent: list[Any] = []

    async def receive():
        if parts:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [
            (b"host", b"localhost"),
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-type", b"multipart/form-data; boundary=b"),
            *([(b"content-length", str(len(body)).encode())] if declared else []),
        ],
    }
    application = HttpApplication()
    try:
        await application(scope, receive, send)
    finally:
        application.close()
    return int(sent[0]["status"])
