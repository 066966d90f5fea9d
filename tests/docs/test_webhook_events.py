"""docs/webhooks.md lists every type of event."""

import re

from tests.docs.test_examples import ROOT
from webhooks_app.events import CATALOG


def test_every_event_type_is_in_the_table() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    listed = re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE)
    assert listed == list(CATALOG)
