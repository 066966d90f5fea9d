"""The documents name every action that the audit log may hold."""

import re

from tests.docs.test_examples import ROOT

APPS = ("kallglot_site", "sessions_app", "recordings_app", "analysis_app", "webhooks_app")
# audit(request, "…"), audit_record(… action="…"), and a name or note given on to either
_ACTION = re.compile(
    r'(?:audit\(\s*(?:self\.)?request, |action ?= ?|_note\(|else )"([a-z_]+\.[a-z_]+)"'
)


def test_every_action_of_the_audit_log_is_documented():
    sources = [path.read_text() for app in APPS for path in (ROOT / app).rglob("*.py")]
    actions = {action for source in sources for action in _ACTION.findall(source)}
    assert {"listen_in.started", "session.ended", "organization.listen_in_changed"} <= actions
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert sorted(action for action in actions if f"`{action}`" not in documented) == []
