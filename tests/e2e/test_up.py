"""`manage.py up`: one command starts everything, and everything ends with it."""

import httpx


def test_it_is_ready_once_and_answers(server):
    assert [line for line in server.output if line.startswith("ready ")] == [
        f"ready {server.url}\n"
    ]
    answer = httpx.get(f"{server.url}/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
