"""Agents over REST."""

import time

import pytest

from kallglot_site.accounts.models import AuditEntry
from sessions_app.agents import services, tools
from sessions_app.agents.models import Agent
from tests.kallglot_site.api.served_schema import assert_described, served
from tests.sessions_app.agents.api.sending import error_of, send
from webhooks_app.delivery import urls

TOOL = {
    "name": "order_status",
    "description": "Where an order is now.",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "string"}},
        "required": ["number"],
    },
    "url": "https://203.0.114.1/tools/order",
    "timeout_s": 5,
    "filler": "One moment.",
}


def create(api, **body):
    return send(api, "POST", "/v1/agents", {"name": "Order desk"} | body)


def test_a_name_is_enough(api):
    response = create(api)

    body = response.json()
    assert response.status_code == 201
    assert body["id"].startswith("agt_")
    assert body | {"id": 0, "created_at": 0} == {
        "id": 0,
        "object": "agent",
        "name": "Order desk",
        "system_prompt": "",
        "greeting": None,
        "language": None,
        "voice": None,
        "temperature": 0.5,
        "max_response_tokens": 300,
        "knowledge_base_id": None,
        "tools": [],
        "transfer": {"enabled": True, "message": None},
        "silence": {"after_s": 10.0, "say": None, "end_after": 3},
        "max_duration_s": 1800,
        "metadata": {},
        "created_at": 0,
    }


def test_what_was_given_is_returned(api, cast):
    base = services.knowledge_base_create(tenant=cast.tenant, name="Help pages")
    given = {
        "system_prompt": "p" * 16_000,
        "greeting": "Hello!",
        "language": "es-MX",
        "voice": "joe",
        "temperature": 2.0,
        "max_response_tokens": 100,
        "knowledge_base_id": base.id,
        "tools": [TOOL | {"timeout_s": 5.0}],
        "transfer": {"enabled": False, "message": "I will connect you."},
        "silence": {"after_s": 5.0, "say": "Are you there?", "end_after": 2},
        "max_duration_s": 600,
        "metadata": {"team": "north"},
    }

    created = create(api, **given).json()

    assert {name: created[name] for name in given} == given
    assert send(api, "GET", f"/v1/agents/{created['id']}").json() == created


@pytest.mark.parametrize(
    ("field", "value", "code", "param"),
    [
        ("nmae", "x", "unknown_field", "nmae"),
        ("name", "", "invalid_field_value", "name"),
        ("name", None, "invalid_field_value", "name"),
        ("system_prompt", "p" * 16_001, "invalid_field_value", "system_prompt"),
        ("temperature", 2.1, "invalid_field_value", "temperature"),
        ("temperature", "1", "invalid_field_value", "temperature"),
        ("max_response_tokens", 0, "invalid_field_value", "max_response_tokens"),
        ("max_response_tokens", 10.5, "invalid_field_value", "max_response_tokens"),
        ("max_response_tokens", True, "invalid_field_value", "max_response_tokens"),
        ("language", "english", "invalid_language_code", "language"),
        ("knowledge_base_id", "agt_1", "invalid_field_value", "knowledge_base_id"),
        ("transfer", {"enabled": "yes"}, "invalid_field_value", "transfer.enabled"),
        ("silence", {"end_after": 0}, "invalid_field_value", "silence.end_after"),
        ("silence", {"again": 1}, "unknown_field", "silence.again"),
        ("max_duration_s", 1, "invalid_field_value", "max_duration_s"),
        ("tools", [TOOL | {"timeout_s": 31}], "invalid_field_value", "tools.0.timeout_s"),
        ("tools", [TOOL | {"name": "end_call"}], "invalid_field_value", "tools.0.name"),
        ("tools", [TOOL | {"name": "no spaces"}], "invalid_field_value", "tools.0.name"),
        ("tools", [TOOL, TOOL], "invalid_field_value", "tools.1.name"),
        ("tools", [{"description": "no name"}], "missing_required_field", "tools.0.name"),
        ("tools", [TOOL] * 33, "invalid_field_value", "tools"),
    ],
)
def test_wrong_values_are_refused_with_their_place(api, field, value, code, param):
    response = create(api, **{field: value})

    assert error_of(response) == (422, code, param)
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("none", "whose `type` is"),
        ({"type": "array"}, "whose `type` is"),
        ({"type": "object", "properties": {"n": {"type": "numbr"}}}, "properties.n"),
        ({"type": "object", "required": "n"}, "required"),
        ({"type": "object", "properties": {"n": {"pattern": "("}}}, "pattern"),
        ({"type": "object", "properties": {"n": {"$ref": "https://x.example/s"}}}, "own parts"),
        ({"type": "object", "$id": "https://x.example/s"}, "own parts"),
        ({"type": "object", "x": {"allOf": [{"$id": "http://x.example/", "$ref": "#/y"}]}}, "own"),
        ({"type": "object", "x": {"$schema": "http://json-schema.org/draft-04/schema#"}}, "own"),
        ({"type": "object", "description": "x" * 17_000}, "16 KiB"),
    ],
)
def test_parameters_of_a_tool_must_be_a_json_schema(api, parameters, says):
    response = create(api, tools=[TOOL | {"parameters": parameters}])

    assert error_of(response) == (422, "invalid_field_value", "tools.0.parameters")
    assert says in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/x", "http://203.0.114.1/", "ftp://x", "nonsense"]
)
def test_a_private_or_malformed_url_of_a_tool_is_refused(api, url):
    tools = [TOOL, TOOL | {"name": "other", "url": url}]
    assert error_of(create(api, tools=tools)) == (422, "invalid_url", "tools.1.url")

    agent = create(api).json()
    changed = send(api, "PATCH", f"/v1/agents/{agent['id']}", {"tools": tools})
    assert error_of(changed) == (422, "invalid_url", "tools.1.url")


def test_a_parameter_may_have_the_name_of_a_keyword(api):
    parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}},
    }
    assert create(api, tools=[TOOL | {"parameters": parameters}]).status_code == 201


def test_slow_names_of_tools_do_not_add_up(api, monkeypatch):
    def slow(host: str, port: int) -> list[str]:
        time.sleep(0.4)
        return ["203.0.114.1"]

    monkeypatch.setattr(tools, "LOOKUP_TIMEOUT", 0.5)
    monkeypatch.setattr(urls, "resolve", slow)
    many = [TOOL | {"name": f"t{n}", "url": f"https://h{n}.example/"} for n in range(8)]
    started = time.monotonic()
    assert create(api, tools=many).status_code == 201
    assert time.monotonic() - started < 2


def test_a_whole_number_may_be_written_with_a_fraction_of_zero(api):
    assert create(api, max_response_tokens=100.0).json()["max_response_tokens"] == 100


def test_a_tool_without_a_url_asks_the_session(api):
    (tool,) = create(api, tools=[{"name": "order_status"}]).json()["tools"]

    assert tool == {
        "name": "order_status",
        "description": "",
        "parameters": {"type": "object", "properties": {}},
        "url": None,
        "timeout_s": 10.0,
        "filler": None,
    }


def test_only_what_is_given_changes(api):
    agent = create(api, greeting="Hello!", tools=[TOOL]).json()

    changed = send(api, "PATCH", f"/v1/agents/{agent['id']}", {"name": "New", "greeting": None})

    assert changed.json() == agent | {"name": "New", "greeting": None}
    assert send(api, "GET", f"/v1/agents/{agent['id']}").json() == changed.json()


def test_a_knowledge_base_of_another_tenant_does_not_exist(api, cast):
    foreign = services.knowledge_base_create(tenant=cast.other_tenant, name="Secrets")
    agent = create(api).json()

    for response in (
        create(api, knowledge_base_id=foreign.id),
        send(api, "PATCH", f"/v1/agents/{agent['id']}", {"knowledge_base_id": foreign.id}),
    ):
        assert error_of(response) == (404, "resource_not_found", "knowledge_base_id")


def test_an_agent_outlives_its_knowledge_base(api, cast):
    base = services.knowledge_base_create(tenant=cast.tenant, name="Help pages")
    agent = create(api, knowledge_base_id=base.id).json()

    assert send(api, "DELETE", f"/v1/knowledge_bases/{base.id}").status_code == 204

    assert send(api, "GET", f"/v1/agents/{agent['id']}").json()["knowledge_base_id"] is None


def test_creating_twice_with_one_key_makes_one_agent(api):
    first, again = (create_with_key(api, "once") for _ in range(2))

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert Agent.objects.count() == 1


def create_with_key(api, key):
    return send(api, "POST", "/v1/agents", {"name": "Desk"}, **{"Idempotency-Key": key})


def test_agents_are_listed_newest_first_and_paged(api):
    made = [create(api, name=str(number)).json()["id"] for number in range(3)]

    page = send(api, "GET", "/v1/agents?limit=2").json()
    rest = send(api, "GET", f"/v1/agents?starting_after={page['data'][-1]['id']}").json()

    assert [each["id"] for each in page["data"] + rest["data"]] == made[::-1]
    assert (page["has_more"], rest["has_more"]) == (True, False)


def test_a_tenant_has_a_limited_number_of_agents(api, monkeypatch):
    monkeypatch.setattr(services, "MAX_AGENTS", 1)
    create(api)
    assert error_of(create(api)) == (422, "invalid_field_value", None)


def test_changes_are_in_the_audit_log(api):
    agent = create(api, system_prompt="secret words").json()
    send(api, "PATCH", f"/v1/agents/{agent['id']}", {"system_prompt": "other secret words"})
    send(api, "DELETE", f"/v1/agents/{agent['id']}")

    entries = list(AuditEntry.objects.order_by("id").values_list("action", "target", "detail"))
    assert [entry[:2] for entry in entries] == [
        ("agent.created", agent["id"]),
        ("agent.changed", agent["id"]),
        ("agent.deleted", agent["id"]),
    ]
    assert "secret" not in str(entries)


def test_answers_fit_the_schema(api):
    document = served(api)
    agent = create(api, tools=[TOOL])
    assert_described(document, "post", "/v1/agents", agent)
    assert_described(document, "get", "/v1/agents", send(api, "GET", "/v1/agents"))
