import json
from typing import Any

from asgiref.testing import ApplicationCommunicator

from kallglot_site.sockets.handshakes import RefuseWhileStopping


async def accepting(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


def handshake(*, stopping: bool) -> ApplicationCommunicator:
    scope = {
        "type": "websocket",
        "path": "/v1/sessions/sess_01/connect",
        "headers": [],
        "extensions": {"websocket.http.response": {}},
    }
    return ApplicationCommunicator(RefuseWhileStopping(accepting, lambda: stopping), scope)


async def test_a_stopping_gateway_answers_503_so_that_a_proxy_tries_the_next():
    connection = handshake(stopping=True)
    await connection.send_input({"type": "websocket.connect"})
    start = await connection.receive_output()
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"] == b"1"
    body = json.loads((await connection.receive_output())["body"])
    assert body["error"]["code"] == "service_unavailable"


async def test_a_running_gateway_accepts():
    connection = handshake(stopping=False)
    await connection.send_input({"type": "websocket.connect"})
    assert (await connection.receive_output())["type"] == "websocket.accept"
