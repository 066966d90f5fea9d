"""docs/webhooks.md lists every type of event."""

import re

import pytest
from django.test import Client

from tests.conftest import Cast
from tests.docs.test_examples import ROOT


@pytest.mark.django_db
def test_every_event_type_is_in_the_table(client: Client, cast: Cast) -> None:
    answer = client.get("/v1/event_types", headers={"Authorization": f"Bearer {cast.key}"})
    types = [each["name"] for each in answer.json()["data"]]
    page = (ROOT / "docs" / "webhooks.md").read_text()
    assert re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE) == types
