"""The overview: figures, failures of one's own tenant, and a constant number of queries."""

import datetime

import pytest
import redis
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from analysis_app.models import Analysis
from kallglot_site.api.ids import new_id
from kallglot_site.overview.figures import figures, needs_attention
from sessions_app.models import Track
from tests.conftest import Cast
from tests.factories import SegmentFactory, SessionFactory


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()


def call(cast: Cast, ago: datetime.timedelta = datetime.timedelta(), **columns):
    at = timezone.now() - ago
    columns.setdefault("organization", cast.organization)
    return SessionFactory.create(id=new_id("sess", at), created_at=at, **columns)


def test_figures_are_read_anew_while_the_cache_does_not_answer(cast, monkeypatch, settings):
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"

    def time_out(*arguments):
        raise redis.TimeoutError

    monkeypatch.setattr(cache, "get", time_out)
    monkeypatch.setattr(cache, "set", time_out)
    call(cast, duration=60.0)
    assert figures(cast.tenant).today == 1


def test_calls_and_minutes_are_counted_by_day_and_mode(cast):
    call(cast, duration=120.0)
    call(cast, duration=60.0, mode="assistive_translation")
    call(cast, datetime.timedelta(days=13), duration=600.0)
    call(cast, datetime.timedelta(days=30), duration=6000.0)
    call(cast, duration=999.0, environment="test")
    call(cast, duration=999.0, organization=cast.other_tenant.organization)
    numbers = figures(cast.tenant)
    assert numbers.today == 2
    assert numbers.minutes_today == 3.0
    assert numbers.chart["transcription"][0] + numbers.chart["transcription"][-1] == 12.0
    assert numbers.chart["assistive_translation"][-1] == 1.0


def test_languages_are_shares_of_the_audio(cast):
    session = call(cast)
    Track.objects.create(session=session, speaker="customer", language="es", position=180.0)
    Track.objects.create(session=session, speaker="agent", language="en", position=60.0)
    assert [(each.code, each.share) for each in figures(cast.tenant).languages] == [
        ("es", 75),
        ("en", 25),
    ]


def test_the_transcript_latency_is_a_median_without_files_sent_faster_than_speech(cast):
    start = timezone.now() - datetime.timedelta(minutes=1)
    session = call(cast, started_at=start)
    for number, wait in enumerate([0.4, 0.6, 0.8, -20.0, 500.0], start=1):
        SegmentFactory.create(
            session=session,
            sequence=number,
            end_time=5.0,
            created_at=start + datetime.timedelta(seconds=5.0 + wait),
        )
    assert figures(cast.tenant).latency == pytest.approx(0.6)


def test_failures_of_the_last_week_are_listed_for_ones_own_tenant(cast):
    def fail(session):
        Analysis.objects.create(
            organization=session.organization,
            environment=session.environment,
            session=session,
            status="failed",
            analyses=["summary"],
            estimated_completion=timezone.now(),
        )

    mine, foreign = call(cast), call(cast, organization=cast.other_tenant.organization)
    fail(mine)
    fail(foreign)
    (item,) = needs_attention(cast.tenant, admin=False)
    assert mine.id in item.url


def test_the_page_shows_live_calls_in_few_queries(cast, django_assert_max_num_queries):
    sessions = [call(cast, status="active", started_at=timezone.now()) for _ in range(5)]
    client = Client()
    client.force_login(cast.owner)
    with django_assert_max_num_queries(12):
        page = client.get("/dashboard/").text
    assert all(session.id in page for session in sessions)
    assert sessions[0].id in client.get("/dashboard/live").text
