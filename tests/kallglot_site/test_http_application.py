"""Django under ASGI, as the servers run it."""

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from kallglot_site.http_application import HttpApplication


@pytest.fixture
def application(db: None) -> Iterator[HttpApplication]:
    application = HttpApplication()
    yield application
    application.close()


async def fetched(
    application: HttpApplication, method: str, path: str, *headers
) -> list[dict[str, Any]]:
    """The messages of the answer."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"localhost"), *headers],
    }
    client = ApplicationCommunicator(application, scope)
    await client.send_input({"type": "http.request", "body": b""})
    messages = [await client.receive_output(timeout=10)]
    while messages[-1]["type"] == "http.response.start" or messages[-1].get("more_body"):
        messages.append(await client.receive_output(timeout=10))
    await client.wait()
    return messages


@pytest.mark.filterwarnings("error:StreamingHttpResponse must consume")
async def test_a_static_file_is_served_whole_in_one_piece(application):
    file = settings.BASE_DIR / "static/vendor/htmx-2.0.11/htmx.min.js"
    start, *body = await fetched(application, "GET", "/static/vendor/htmx-2.0.11/htmx.min.js")
    assert start["status"] == 200
    pieces = [message["body"] for message in body if message.get("body")]
    assert pieces == [file.read_bytes()]


@pytest.mark.filterwarnings("error:StreamingHttpResponse must consume")
async def test_part_of_a_static_file_and_none_of_it(application):
    path = "/static/vendor/htmx-2.0.11/htmx.min.js"
    start, *body = await fetched(application, "GET", path, (b"range", b"bytes=5-8"))
    file = settings.BASE_DIR / "static/vendor/htmx-2.0.11/htmx.min.js"
    assert start["status"] == 206
    assert b"".join(message.get("body", b"") for message in body) == file.read_bytes()[5:9]
    start, *body = await fetched(application, "HEAD", path)
    assert start["status"] == 200
    assert b"".join(message.get("body", b"") for message in body) == b""
