"""The figures of the overview: a few queries, cached for 30 seconds."""

import datetime
import statistics
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from django.core.cache import cache
from django.db.models import Case, Count, IntegerField, Sum, Value, When
from django.db.models.functions import Concat
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from analysis_app.models import Analysis
from analysis_app.selectors import analysis_list
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.ids import id_floor
from kallglot_site.backing_services import cache_failures
from recordings_app.models import Recording
from recordings_app.selectors import recordings_of
from sessions_app.models import Segment, Session, Track
from sessions_app.selectors import sessions_of
from webhooks_app.models import Endpoint
from webhooks_app.selectors import endpoint_list

DAYS: Final = 14
KEPT_FOR: Final = 30  # seconds
MOST_LIVE: Final = 12
MOST_ATTENTION: Final = 6
MOST_LANGUAGES: Final = 6
# Longer waits are not latency: a file was sent faster than it was spoken, for example.
SLOWEST: Final = 30.0


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    share: int  # of all audio, in percent


@dataclass(frozen=True, slots=True)
class Figures:
    """``chart``: days as Unix seconds, and minutes per mode for each of them."""

    today: int
    week: int
    minutes_week: float
    minutes_today: float
    days: list[int]
    chart: dict[str, list[float]]
    languages: list[Language]
    latency: float | None  # seconds from the end of speech to its transcript, median
    today_date: datetime.date
    week_start: datetime.date


def figures(tenant: Tenant) -> Figures:
    """Days are days in the reader's time zone."""
    zone = timezone.get_current_timezone_name()
    key = f"overview:{tenant.organization.id}:{tenant.environment}:{zone}"
    kept: Figures | None = None
    with suppress(*cache_failures()):  # without the cache each page reads them anew
        kept = cache.get(key)
    if kept is None:
        kept = _read(tenant)
        with suppress(*cache_failures()):
            cache.set(key, kept, KEPT_FOR)
    return kept


def _read(tenant: Tenant) -> Figures:
    today = timezone.localdate()
    first = today - datetime.timedelta(days=DAYS - 1)
    dates = [first + datetime.timedelta(days=number) for number in range(DAYS)]
    rows = (
        sessions_of(tenant)
        .filter(id__gte=_first_id(first))
        # Concat keeps SQLite from grouping by the index on mode, which would read all of it.
        .annotate(day=_day(dates), kind=Concat("mode", Value("")))
        .values("day", "kind")
        .annotate(calls=Count("id"), seconds=Sum("duration"))
        .order_by()
    )
    week_start = today - datetime.timedelta(days=today.weekday())
    chart: dict[str, list[float]] = {}
    calls = dict.fromkeys(dates, 0)
    minutes = dict.fromkeys(dates, 0.0)
    for row in rows:
        spent = (row["seconds"] or 0.0) / 60
        chart.setdefault(row["kind"], [0.0] * DAYS)[row["day"]] = round(spent, 2)
        calls[dates[row["day"]]] += row["calls"]
        minutes[dates[row["day"]]] += spent
    this_week = [date for date in dates if date >= week_start]
    return Figures(
        today=calls[today],
        week=sum(calls[date] for date in this_week),
        minutes_today=minutes[today],
        minutes_week=sum(minutes[date] for date in this_week),
        # Noon in UTC: it is the same day in every time zone of a browser.
        days=[
            int(datetime.datetime.combine(date, datetime.time(12), datetime.UTC).timestamp())
            for date in dates
        ],
        chart=dict(sorted(chart.items(), key=lambda item: -sum(item[1]))),
        languages=_languages(tenant, first),
        latency=_latency(tenant),
        today_date=today,
        week_start=week_start,
    )


def _midnight(date: datetime.date) -> datetime.datetime:
    return timezone.make_aware(datetime.datetime.combine(date, datetime.time.min))


def _first_id(date: datetime.date) -> str:
    return id_floor("sess", _midnight(date))


def _day(dates: list[datetime.date]) -> Case:
    """The index of a session's day in ``dates``, from its id: faster than date functions."""
    later = [When(id__gte=_first_id(date), then=Value(number)) for number, date in enumerate(dates)]
    return Case(*reversed(later), default=Value(0), output_field=IntegerField())


def _languages(tenant: Tenant, first: datetime.date) -> list[Language]:
    heard = list(
        Track.objects.filter(
            # Both are limited, so that the database may read either first.
            id__gte=id_floor("trk", _midnight(first)),
            session__in=sessions_of(tenant).filter(id__gte=_first_id(first)),
            language__isnull=False,
        )
        .values_list("language")
        .annotate(seconds=Sum("position"))
        .order_by("-seconds")
    )
    total = sum(seconds for _, seconds in heard) or 1.0
    return [
        Language(str(code), round(100 * seconds / total))
        for code, seconds in heard[:MOST_LANGUAGES]
    ]


def _latency(tenant: Tenant) -> float | None:
    """Seconds between the end of speech and its segment: the median of recent calls."""
    recent = sessions_of(tenant).filter(started_at__isnull=False).order_by("-id").values("pk")[:20]
    # Concat keeps the planner from reading every segment backwards along the key.
    lines = Segment.objects.filter(session__in=recent).order_by(Concat("id", Value("")).desc())
    waits = [
        (created - started).total_seconds() - end
        for started, created, end in lines.values_list(
            "session__started_at", "created_at", "end_time"
        )[:300]
        if started
    ]
    live = [wait for wait in waits if 0 <= wait < SLOWEST]
    return statistics.median(live) if live else None


def live_calls(tenant: Tenant) -> list[Session]:
    active = sessions_of(tenant).filter(status=Session.Status.ACTIVE)
    return list(active.order_by("-id")[:MOST_LIVE])


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """A failure that somebody should look at."""

    icon: str
    text: str
    url: str
    at: datetime.datetime
    detail: str = field(default="")


def needs_attention(tenant: Tenant, *, admin: bool) -> list[AttentionItem]:
    """Failures of the last 7 days, newest first. Endpoints are for admins only."""
    since = timezone.now() - datetime.timedelta(days=7)
    found: list[AttentionItem] = []
    failed_recordings = recordings_of(tenant).filter(
        status=Recording.Status.FAILED, id__gte=id_floor("rec", since)
    )
    for recording in failed_recordings.order_by("-id")[:MOST_ATTENTION]:
        url = reverse("dashboard:session", args=[recording.session_id])
        found.append(AttentionItem("volume-2", "A recording failed", url, recording.created_at))
    failed_analyses = analysis_list(tenant=tenant).filter(
        status=Analysis.Status.FAILED, id__gte=id_floor("ana", since)
    )
    for analysis in failed_analyses.order_by("-id")[:MOST_ATTENTION]:
        url = reverse("dashboard:session", args=[analysis.session_id])
        found.append(AttentionItem("activity", "An analysis failed", url, analysis.created_at))
    if admin:
        found += _disabled_endpoints(tenant)
    return sorted(found, key=lambda item: item.at, reverse=True)[:MOST_ATTENTION]


def _disabled_endpoints(tenant: Tenant) -> list[AttentionItem]:
    try:
        url = reverse("webhooks:endpoints")
    except NoReverseMatch:
        return []
    disabled = endpoint_list(tenant=tenant).filter(
        status=Endpoint.Status.DISABLED, disabled_reason__isnull=False
    )
    return [
        AttentionItem(
            "webhook",
            "A webhook endpoint was disabled",
            url,
            endpoint.disabled_at or endpoint.created_at,
            endpoint.url,
        )
        for endpoint in disabled.order_by("-id")[:MOST_ATTENTION]
    ]
