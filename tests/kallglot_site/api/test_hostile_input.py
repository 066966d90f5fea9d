"""Hostile bodies, queries and paths get an error in the envelope, never a 500."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kallglot_site.api import strict_json
from kallglot_site.api.errors import ApiError
from kallglot_site.http_application import HttpApplication
from sessions_app.models import Session
from tests.conftest import Cast

pytestmark = pytest.mark.django_db

MODE = '"mode": "transcription"'


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[" * 100_000, 400, "invalid_json"),
        (b'{"a":' * 20_000, 400, "invalid_json"),
        (b'{"metadata": ' + b"[" * 40 + b"]" * 40 + b"}", 400, "invalid_json"),
        (b'{"n": ' + b"9" * 5000 + b"}", 400, "invalid_json"),
        (b'{"n": 1e999}', 400, "invalid_json"),
        (b'{"n": -1e999}', 400, "invalid_json"),
        (b'{"n": NaN}', 400, "invalid_json"),
        (b'{"n": Infinity}', 400, "invalid_json"),
        (b'{"mode": "transcription", "mode": "ai_agent"}', 400, "invalid_json"),
        (b'{"metadata": {"a": "1", "a": "2"}, "mode": "transcription"}', 400, "invalid_json"),
        (b'{"metadata": {"a": "\\ud800"}, "mode": "transcription"}', 400, "invalid_json"),
        (b'{"metadata": {"\\udc00": "a"}, "mode": "transcription"}', 400, "invalid_json"),
        (b'{"metadata": {"a": "\\u0000"}, "mode": "transcription"}', 400, "invalid_json"),
        (b'{"metadata": {"\\u0000": "a"}, "mode": "transcription"}', 400, "invalid_json"),
        (b'{"\\u0000": 1}', 400, "invalid_json"),
        (b'{"metadata": {"a": "\xff"}}', 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", 400, "invalid_json"),
        ("{" + MODE + "}", 201, None),
        (("{" + MODE + "}").encode("utf-16"), 400, "invalid_json"),
        (b'{"mode": "transcription"} trailing', 400, "invalid_json"),
        (b"{'mode': 'transcription'}", 400, "invalid_json"),
        (b"mode=transcription", 400, "invalid_json"),
        (b"null", 422, "invalid_field_value"),
        (b"[]", 422, "invalid_field_value"),
        (b'"mode"', 422, "invalid_field_value"),
        (b"12345678901234567890123", 422, "invalid_field_value"),
        (b'{"mode": null}', 422, None),
        (b'{"mode": ["transcription"]}', 422, "invalid_mode"),
        (b'{"mode": {"a": 1}}', 422, "invalid_mode"),
        (b'{"mode": "transcription", "metadata": []}', 422, "invalid_field_value"),
        (b'{"mode": "transcription", "provider": "twilio"}', 422, "invalid_field_value"),
        (b'{"mode": "transcription", "transcription": {"vocabulary": {"a": 1}}}', 422, None),
        (b'{"mode": "transcription", "transcription": {"vocabulary": [1]}}', 422, None),
        (b'{"mode": "transcription", "__proto__": {}}', 422, "unknown_field"),
        (b'{"mode": "transcription", "' + b"x" * 5000 + b'": 1}', 422, "unknown_field"),
        (b'{"mode": "' + b"x" * (300 * 1024) + b'"}', 413, "body_too_large"),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, bytes | str) else None,
)
def test_hostile_bodies_are_refused(
    api: Client, cast: Cast, body: bytes | str, status: int, code: str | None
) -> None:
    response = api.generic("POST", "/v1/sessions", body, content_type="application/json")

    assert response.status_code == status, response.content[:500]
    if status != 201:
        error = response.json()["error"]
        assert code in (None, error["code"])
        assert error["request_id"]
        assert len(response.content) < 2000
        assert not Session.objects.exists()


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/vnd.api+json",
        "",
        ";;;",
        "application/json\x00",
    ],
)
def test_only_json_in_utf8_is_accepted(api: Client, content_type: str) -> None:
    response = api.generic("POST", "/v1/sessions", "{" + MODE + "}", content_type=content_type)

    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("content_type", ["application/json;charset=UTF-8", "Application/JSON"])
def test_the_json_content_type_is_accepted_in_any_spelling(api: Client, content_type: str) -> None:
    response = api.generic("POST", "/v1/sessions", "{" + MODE + "}", content_type=content_type)

    assert response.status_code == 201


def test_compressed_bodies_are_refused(api: Client) -> None:
    response = api.generic(
        "POST",
        "/v1/sessions",
        "{}",
        content_type="application/json",
        headers={"Content-Encoding": "gzip"},
    )

    assert response.status_code == 415


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/sessions?limit=0", 422, "invalid_field_value"),
        ("/v1/sessions?limit=101", 422, "invalid_field_value"),
        ("/v1/sessions?limit=-1", 422, "invalid_field_value"),
        ("/v1/sessions?limit=1e1", 422, "invalid_field_value"),
        ("/v1/sessions?limit=", 422, "invalid_field_value"),
        ("/v1/sessions?limit=" + "9" * 5000, 422, "invalid_field_value"),
        ("/v1/sessions?limit=%D9%A1", 422, "invalid_field_value"),
        ("/v1/sessions?limit=1&limit=2", 422, "invalid_field_value"),
        ("/v1/sessions?limit=1%00", 422, "invalid_field_value"),
        ("/v1/sessions?status=%00", 422, "invalid_field_value"),
        ("/v1/sessions?status=over", 422, "invalid_field_value"),
        ("/v1/sessions?status=", 422, "invalid_field_value"),
        ("/v1/sessions?status=%ff", 422, "invalid_field_value"),
        ("/v1/sessions?mode=karaoke", 422, "invalid_mode"),
        ("/v1/sessions?stauts=ended", 422, "unknown_field"),
        ("/v1/sessions?%00=1", 422, "unknown_field"),
        ("/v1/sessions?" + "x" * 3000, 422, "unknown_field"),
        ("/v1/sessions?" + "&".join(f"a{n}=1" for n in range(2000)), None, None),
        ("/v1/sessions?created_after=yesterday", 422, "invalid_field_value"),
        ("/v1/sessions?created_after=2026-01-01T00:00:00", 422, "invalid_field_value"),
        ("/v1/sessions?created_after=0001-01-01T00:00:00%2B23:59", 422, "invalid_field_value"),
        ("/v1/sessions?created_after=2026-13-41T99:00:00Z", 422, "invalid_field_value"),
        ("/v1/sessions?created_after=0001-01-01T00:00:00Z", 200, None),
        ("/v1/sessions?created_before=9999-12-31T23:59:59Z", 200, None),
        ("/v1/sessions?starting_after=nonsense", 400, "invalid_cursor"),
        ("/v1/sessions?starting_after=", 400, "invalid_cursor"),
        ("/v1/sessions?starting_after=%00", 422, "invalid_field_value"),
        ("/v1/sessions?starting_after=seg_01KD3M0000000000000000000A", 400, "invalid_cursor"),
        ("/v1/sessions?starting_after=sess_01kd3m0000000000000000000a", 400, "invalid_cursor"),
        ("/v1/sessions?starting_after=sess_01KD3M0000000000000000000A%0A", 400, "invalid_cursor"),
        (
            "/v1/sessions?starting_after=sess_01KD3M0000000000000000000A"
            "&ending_before=sess_01KD3M0000000000000000000A",
            400,
            "invalid_cursor",
        ),
        ("/v1/sessions?starting_after=sess_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 200, None),
        ("/v1/sessions/%00", 400, "invalid_request"),
        ("/v1/sessions/sess_01KD3M0000000000000000000A%00", 400, "invalid_request"),
        ("/v1/sessions/%ff", 404, "resource_not_found"),
        ("/v1/sessions/../sessions", 404, "resource_not_found"),
        ("/v1/sessions/sess_%F0%9F%92%A9", 404, "resource_not_found"),
        ("/v1/sessions/" + "x" * 5000, 404, "resource_not_found"),
        ("/v1/sessions/", 404, "resource_not_found"),
        ("/v1/nothing", 404, "resource_not_found"),
        ("/v1/", 404, "resource_not_found"),
        ("/v1", 404, "resource_not_found"),
        ("/v1%00", 400, "invalid_request"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_hostile_queries_and_paths_are_refused(
    api: Client, path: str, status: int | None, code: str | None
) -> None:
    response = api.get(path)

    assert response.status_code == status if status else response.status_code < 500
    if code is not None:
        assert response.json()["error"]["code"] == code
    assert response["X-Request-ID"]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_other_methods_are_refused_and_allow_lists_the_supported_ones(
    api: Client, method: str
) -> None:
    response = getattr(api, method)("/v1/sessions")

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"
    assert response["Allow"] == "GET, POST, HEAD"


def test_an_unknown_host_is_refused_in_the_envelope(api: Client) -> None:
    response = api.get("/v1/sessions", headers={"Host": "evil.example"})

    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "invalid_request"
    assert "evil.example" not in response.content.decode()


def test_a_500_has_the_error_envelope_and_no_traceback(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sessions_app.selectors.session_list", lambda **_: 1 / 0, raising=True)
    client = Client(raise_request_exception=False, headers={"X-API-Key": cast.key})

    response = client.get("/v1/sessions")

    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert response.json()["error"]["request_id"] == response["X-Request-ID"]
    assert b"ZeroDivision" not in response.content
    assert cast.key not in caplog.text


@pytest.fixture
def http_application() -> Iterator[HttpApplication]:
    application = HttpApplication()
    yield application
    application.close()


async def _over_asgi(
    application: HttpApplication, key: str, chunks: list[bytes], headers: dict[str, str]
) -> Any:
    """A request whose body arrives in chunks, with or without Content-Length."""
    communicator = ApplicationCommunicator(
        application,
        {
            "type": "http",
            "method": "POST",
            "path": "/v1/sessions",
            "query_string": b"",
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (b"authorization", f"Bearer {key}".encode()),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
        },
    )
    for number, chunk in enumerate(chunks, start=1):
        await communicator.send_input(
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        )
    start = await communicator.receive_output(20)
    await communicator.receive_output(20)
    await communicator.wait(20)
    return start["status"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("chunks", "headers", "status"),
    [
        ([b'{"mode": ', b'"transcription"}'], {"transfer-encoding": "chunked"}, 201),
        ([b"x" * 65536] * 5, {"transfer-encoding": "chunked"}, 413),
        ([b"x" * 65536] * 100, {"transfer-encoding": "chunked"}, 413),
        ([b"{}"], {"content-length": "999999999999999999999999"}, 413),
        ([b"x" * 300_000], {"content-length": "2"}, 413),
        ([b'{"mode": "transcription"}'], {"content-length": "nonsense"}, 201),
    ],
    ids=["chunked", "chunked and large", "chunked and huge", "declared large", "lying", "nonsense"],
)
async def test_the_size_of_bodies_is_limited_with_and_without_content_length(
    cast: Cast,
    chunks: list[bytes],
    headers: dict[str, str],
    status: int,
    http_application: HttpApplication,
) -> None:
    assert await _over_asgi(http_application, cast.key, chunks, headers) == status


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.binary(max_size=200) | _json.map(lambda value: repr(value).encode(errors="replace")))
@settings(max_examples=200, deadline=None)
def test_the_json_parser_raises_only_invalid_json(body: bytes) -> None:
    try:
        strict_json.loads(body)
    except ApiError as error:
        assert error.code == "invalid_json"  # noqa: PT017 - either outcome is right


@given(_json)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_value_in_any_field_causes_a_500(api: Client, value: Any) -> None:
    for field in ("mode", "source_language", "recording", "provider", "transcription", "metadata"):
        body = {"mode": "transcription", field: value}
        response = api.post("/v1/sessions", body, content_type="application/json")
        assert response.status_code in {201, 400, 403, 422, 429}, response.content
