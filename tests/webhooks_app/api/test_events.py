"""Events over REST, and the schemas they promise."""

import jsonschema
import pytest
from django.db import transaction
from django.test import Client

from kallglot_site.accounts.services import api_key_create
from sessions_app import services as sessions
from webhooks_app.event_types import CATALOG
from webhooks_app.models import Event
from webhooks_app.payloads import event_payload
from webhooks_app.schemas import EVENT_SCHEMAS
from webhooks_app.services import event_record, session_events_erase


def record(tenant, type, session_id="sess_1"):
    with transaction.atomic():
        return event_record(tenant=tenant, type=type, data={"id": "x"}, session_id=session_id)


def client(tenant, *scopes):
    _, key = api_key_create(tenant=tenant, name="narrow", scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {key}"})


def listed(client, query=""):
    return {event["type"] for event in client.get(f"/v1/events{query}").json()["data"]}


@pytest.fixture
def events(cast):
    return [
        record(cast.tenant, type, session_id)
        for type, session_id in [
            ("session.ended", "sess_1"),
            ("recording.ready", "sess_2"),
            ("analysis.complete", "sess_2"),
        ]
    ]


def test_an_event_is_what_receivers_get(api, events):
    body = api.get(f"/v1/events/{events[0].id}").json()
    assert body == event_payload(events[0])
    assert list(body) == ["id", "object", "type", "api_version", "created_at", "data"]


def test_events_are_filtered_by_type_and_session(api, events):
    assert listed(api) == {"session.ended", "recording.ready", "analysis.complete"}
    assert listed(api, "?type=session.ended") == {"session.ended"}
    assert listed(api, "?session_id=sess_2") == {"recording.ready", "analysis.complete"}
    assert api.get("/v1/events?type=session.exploded").status_code == 422


def test_a_key_sees_only_events_of_objects_it_may_read(cast, events):
    narrow = client(cast.tenant, "webhooks:read", "sessions:read")
    assert listed(narrow) == {"session.ended"}
    assert narrow.get(f"/v1/events/{events[0].id}").status_code == 200
    for response in (
        narrow.get(f"/v1/events/{events[1].id}"),
        narrow.get("/v1/events?type=recording.ready"),
    ):
        assert response.status_code == 403
        assert "recordings:read" in response.json()["error"]["message"]


def test_an_erased_event_says_only_that_it_was(api, events):
    session_events_erase(session_id="sess_1")
    body = api.get(f"/v1/events/{events[0].id}").json()
    assert body["data"] == {"id": "sess_1", "object": "session", "erased": True}
    jsonschema.validate(body, EVENT_SCHEMAS["session.ended"])


# --- Schemas -------------------------------------------------------------------------------------


def test_every_type_of_the_catalog_is_served_with_a_valid_schema(api):
    served = {kind["name"]: kind["schema"] for kind in api.get("/v1/event_types").json()["data"]}
    assert set(served) == set(CATALOG)
    for schema in served.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def assert_real(type):
    """The newest event of that type keeps what its schema promises."""
    event = Event.objects.filter(type=type).order_by("-id").first()
    assert event is not None, f"no {type} was recorded"
    jsonschema.validate(event_payload(event), EVENT_SCHEMAS[type])


def test_real_session_events_keep_their_schema(cast):
    session = sessions.session_create(
        tenant=cast.tenant, mode="transcription", metadata={"order": "42"}
    )
    assert_real("session.created")
    sessions.session_end(session=session, reason="completed")
    assert_real("session.ended")


def test_a_real_test_event_keeps_its_schema(api, rings):
    body = {"url": "https://203.0.114.1/", "events": ["*"]}
    made = api.post("/v1/webhook_endpoints", body, content_type="application/json").json()
    path = f"/v1/webhook_endpoints/{made['id']}/test"
    assert api.post(path, {}, content_type="application/json").status_code == 200
    assert_real("webhook.test")


def test_a_schema_rejects_an_object_of_another_kind(events):
    for event in events:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(event_payload(event), EVENT_SCHEMAS[event.type])
