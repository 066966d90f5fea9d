"""Stream tokens allow connecting to one session for a few minutes; a refusal says why."""

import datetime

import pytest
import time_machine
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey, Environment
from kallglot_site.accounts.services import api_key_revoke
from kallglot_site.api.ids import new_id
from sessions_app.models import Session
from sessions_app.streaming.wire.tokens import (
    StreamTokenRefused,
    stream_token_issue,
    stream_token_verify,
)
from tests.conftest import Cast
from tests.factories import SessionFactory


@pytest.fixture
def session(cast: Cast) -> Session:
    return SessionFactory(organization=cast.organization)


@pytest.fixture
def api_key(cast: Cast) -> ApiKey:
    return ApiKey.objects.get(organization=cast.organization, environment="live")


def refusal(token: str, session_id: str) -> StreamTokenRefused:
    with pytest.raises(StreamTokenRefused) as caught:
        stream_token_verify(token, session_id)
    return caught.value


def test_a_new_token_is_verified_in_one_query(session, api_key, django_assert_num_queries):
    token, expires_at = stream_token_issue(session, api_key.id)
    assert token.startswith("kst_live_")
    assert expires_at > timezone.now()
    with django_assert_num_queries(1):
        grant = stream_token_verify(token, session.id)
        assert grant.session.organization.name == "Acme Support"
    assert grant.speakers == ("agent", "customer", "none")


def test_a_token_may_be_limited_to_some_speakers(session, api_key):
    token, _ = stream_token_issue(session, api_key.id, speakers=["none"])
    assert stream_token_verify(token, session.id).speakers == ("none",)


def test_the_environment_in_the_prefix_must_be_the_tokens(cast, api_key):
    session = SessionFactory(organization=cast.organization, environment=Environment.TEST)
    token, _ = stream_token_issue(session, None)
    assert token.startswith("kst_test_")
    assert refusal(token.replace("kst_test_", "kst_live_"), session.id).close_code == 4401


def test_an_expired_token_is_refused(session, api_key):
    token, expires_at = stream_token_issue(session, api_key.id)
    with time_machine.travel(expires_at + datetime.timedelta(seconds=1)):
        refused = refusal(token, session.id)
    assert (refused.close_code, refused.code) == (4401, "expired_token")


@pytest.mark.parametrize("token", ["", "kst_", "kst_live_", "sk_live_x", "kst_live_a.b", "\x00"])
def test_malformed_tokens_are_refused(session, token):
    assert refusal(token, session.id).close_code == 4401


def test_an_altered_token_is_refused(session, api_key):
    token, _ = stream_token_issue(session, api_key.id)
    for position in range(9, len(token), 7):
        altered = (
            token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        )
        assert refusal(altered, session.id).close_code == 4401


def test_a_token_for_another_session_of_the_tenant_is_refused(cast, session, api_key):
    other = SessionFactory(organization=cast.organization)
    token, _ = stream_token_issue(other, api_key.id)
    assert refusal(token, session.id).close_code == 4401


def test_sessions_of_other_tenants_are_refused_like_unknown_ones(cast, session, api_key):
    token, _ = stream_token_issue(session, api_key.id)
    foreign = SessionFactory(organization=cast.other_tenant.organization)
    same_organization = SessionFactory(organization=cast.organization, environment="test")
    answers = {
        (refused.close_code, refused.message)
        for refused in (
            refusal(token, target)
            for target in (foreign.id, same_organization.id, new_id("sess"), "no-id\x00")
        )
    }
    assert answers == {(4404, "There is no such session.")}


def test_revoking_a_key_revokes_its_tokens(session, api_key):
    token, _ = stream_token_issue(session, api_key.id)
    api_key_revoke(api_key=api_key)
    assert refusal(token, session.id).close_code == 4401


def test_tokens_of_an_expired_key_are_refused(session, api_key):
    token, _ = stream_token_issue(session, api_key.id)
    ApiKey.objects.update(expires_at=timezone.now())
    assert refusal(token, session.id).close_code == 4401


def test_a_suspended_organization_is_refused(cast, session, api_key):
    token, _ = stream_token_issue(session, api_key.id)
    cast.organization.suspended_at = timezone.now()
    cast.organization.save()
    assert refusal(token, session.id).code == "organization_suspended"


def test_an_ended_session_has_a_close_code_of_its_own(session, api_key):
    token, _ = stream_token_issue(session, api_key.id)
    Session.objects.update(status=Session.Status.ENDED)
    assert refusal(token, session.id).close_code == 4409
