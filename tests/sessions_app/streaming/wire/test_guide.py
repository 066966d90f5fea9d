"""docs/streaming.md agrees with the code."""

import re
from pathlib import Path

from sessions_app.streaming.wire.protocols import kallglot

GUIDE = (Path(__file__).resolve().parents[4] / "docs" / "streaming.md").read_text()


def test_its_programs_compile():
    programs = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        compile(program, "docs/streaming.md", "exec")


def test_it_names_every_message_and_action_that_clients_send():
    for word in (*kallglot.MESSAGE_TYPES, *kallglot.CONTROL_ACTIONS, *kallglot.END_REASONS):
        assert f"`{word}`" in GUIDE
