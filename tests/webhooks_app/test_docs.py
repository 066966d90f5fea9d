"""The examples of docs/webhooks.md accept our requests and reject forged ones."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.requirements import missing
from webhooks_app import signing

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
BODY = '{"id":"evt_1","note":"été"}'
SECRET = signing.secret_generate()


def examples(language):
    return re.findall(
        rf"<!-- runs in the tests: {language} -->\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL
    )


def signed(timestamp=None, secrets=(SECRET,)):
    headers = signing.signature_headers(
        BODY.encode(),
        event_id="evt_1",
        timestamp=timestamp or int(time.time()),
        secrets=secrets,
    )
    return {name.lower(): value for name, value in headers.items()}


# Signed when the test runs: a verifier refuses what is older than five minutes, and the tests of
# a whole run are collected earlier than that.
CASES = [
    ("genuine", signed, BODY, True),
    ("rotating", lambda: signed(secrets=(signing.secret_generate(), SECRET)), BODY, True),
    ("altered", signed, BODY.replace("evt_1", "evt_2"), False),
    ("old", lambda: signed(timestamp=int(time.time()) - 301), BODY, False),
    ("foreign", lambda: signed(secrets=(signing.secret_generate(),)), BODY, False),
]
every_case = pytest.mark.parametrize(
    ("sign", "body", "genuine"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)


@every_case
def test_the_python_example_tells_genuine_from_forged(sign, body, genuine):
    code, _ = examples("python")
    names: dict[str, Any] = {}
    exec(code, names)
    event = names["receive"](SECRET, sign(), body.encode())
    assert (event is not None) is genuine


@every_case
def test_the_example_by_hand_tells_genuine_from_forged(sign, body, genuine):
    _, code = examples("python")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["is_ours"](SECRET, sign()["kallglot-signature"], body.encode()) is genuine


@every_case
def test_the_node_example_tells_genuine_from_forged(sign, body, genuine):
    if shutil.which("node") is None:
        missing("node")
    (code,) = examples("node")
    call = f"receive({json.dumps(SECRET)}, {json.dumps(sign())}, {json.dumps(body)})"
    done = subprocess.run(
        ["node", "-e", f"{code}\nconsole.log(JSON.stringify({call}))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (json.loads(done.stdout) is not None) is genuine


def test_the_retry_table_is_what_the_code_does():
    from webhooks_app.delivery.schedule import DELAYS

    units = {"minute": 60, "minutes": 60, "hours": 3600}
    rows = re.findall(r"^\| [2-8] \| (\d+) (\w+) \|$", PAGE, flags=re.MULTILINE)
    assert tuple(float(number) * units[unit] for number, unit in rows) == DELAYS
