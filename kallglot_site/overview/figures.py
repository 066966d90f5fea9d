"""The numbers of the overview: read in a handful of queries, kept for half a minute."""

import datetime
import statistics
from dataclasses import dataclass, field
from typing import Final

from django.core.cache import cache
from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from analysis_app.models import Analysis
from analysis_app.selectors import analysis_list
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.ids import id_floor
from recordings_app.models import Recording
from recordings_app.selectors import recordings_of
from sessions_app.models import Segment, Session, Track
from sessions_app.selectors import session_list, sessions_of
from webhooks_app.models import Endpoint
from webhooks_app.selectors import endpoint_list

DAYS: Final = 14
KEPT_FOR: Final = 30  # seconds
MOST_LIVE: Final = 12
MOST_TROUBLES: Final = 6
MOST_LANGUAGES: Final = 6
# A line that came later than this was no live line: a file sent faster than it was spoken, say.
SLOWEST: Final = 30.0


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    minutes: float
    share: float  # of the most spoken one, 0 to 100


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
    latency: float | None  # seconds from the end of speech to its line, median of late
    today_date: datetime.date
    week_start: datetime.date


def figures(tenant: Tenant) -> Figures:
    """In days of the reader's time zone."""
    zone = timezone.get_current_timezone_name()
    key = f"overview:{tenant.organization.id}:{tenant.environment}:{zone}"
    kept: Figures | None = cache.get(key)
    if kept is None:
        kept = _read(tenant)
        cache.set(key, kept, KEPT_FOR)
    return kept


def _read(tenant: Tenant) -> Figures:
    today = timezone.localdate()
    first = today - datetime.timedelta(days=DAYS - 1)
    start = timezone.make_aware(datetime.datetime.combine(first, datetime.time.min))
    rows = (
        session_list(tenant=tenant, created_after=start - datetime.timedelta(microseconds=1))
        .annotate(day=TruncDate("created_at"))
        .values("day", "mode")
        .annotate(calls=Count("id"), seconds=Sum("duration"))
        .order_by()
    )
    dates = [first + datetime.timedelta(days=number) for number in range(DAYS)]
    place = {date: number for number, date in enumerate(dates)}
    week_start = today - datetime.timedelta(days=today.weekday())
    chart: dict[str, list[float]] = {}
    calls = dict.fromkeys(dates, 0)
    minutes = dict.fromkeys(dates, 0.0)
    for row in rows:
        if row["day"] not in place:
            continue
        spent = (row["seconds"] or 0.0) / 60
        chart.setdefault(row["mode"], [0.0] * DAYS)[place[row["day"]]] = round(spent, 2)
        calls[row["day"]] += row["calls"]
        minutes[row["day"]] += spent
    this_week = [date for date in dates if date >= week_start]
    return Figures(
        today=calls[today],
        week=sum(calls[date] for date in this_week),
        minutes_today=minutes[today],
        minutes_week=sum(minutes[date] for date in this_week),
        # Noon UTC of the day: no zone of the browser makes another day of it.
        days=[
            int(datetime.datetime.combine(date, datetime.time(12), datetime.UTC).timestamp())
            for date in dates
        ],
        chart=dict(sorted(chart.items(), key=lambda item: -sum(item[1]))),
        languages=_languages(tenant, start),
        latency=_latency(tenant),
        today_date=today,
        week_start=week_start,
    )


def _languages(tenant: Tenant, start: datetime.datetime) -> list[Language]:
    heard = (
        Track.objects.filter(
            session__in=sessions_of(tenant).filter(id__gte=id_floor("sess", start)),
            language__isnull=False,
        )
        .values("language")
        .annotate(seconds=Sum("position"))
        .order_by("-seconds")[:MOST_LANGUAGES]
    )
    most = max((row["seconds"] for row in heard), default=0.0) or 1.0
    return [
        Language(str(row["language"]), row["seconds"] / 60, round(100 * row["seconds"] / most))
        for row in heard
    ]


def _latency(tenant: Tenant) -> float | None:
    """How long after it was spoken a line stood in the transcript: median of the latest calls."""
    recent = sessions_of(tenant).filter(started_at__isnull=False).order_by("-id")[:20]
    started = {id: at for id, at in recent.values_list("id", "started_at") if at is not None}
    lines = Segment.objects.filter(session_id__in=list(started)).order_by("-id")[:300]
    waits = [
        (created - started[session_id]).total_seconds() - end
        for session_id, created, end in lines.values_list("session_id", "created_at", "end_time")
    ]
    live = [wait for wait in waits if 0 <= wait < SLOWEST]
    return statistics.median(live) if live else None


def live_calls(tenant: Tenant) -> list[Session]:
    active = sessions_of(tenant).filter(status=Session.Status.ACTIVE)
    return list(active.order_by("-id")[:MOST_LIVE])


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a person should look at. ``id`` orders it in time."""

    icon: str
    text: str
    url: str
    at: datetime.datetime
    detail: str = field(default="")


def troubles(tenant: Tenant, *, admin: bool) -> list[Trouble]:
    """What failed within a week, newest first; endpoints only for those who may mend them."""
    since = timezone.now() - datetime.timedelta(days=7)
    found: list[Trouble] = []
    failed_recordings = recordings_of(tenant).filter(
        status=Recording.Status.FAILED, id__gte=id_floor("rec", since)
    )
    for recording in failed_recordings.order_by("-id")[:MOST_TROUBLES]:
        url = reverse("dashboard:session", args=[recording.session_id])
        found.append(Trouble("volume-2", "A recording failed", url, recording.created_at))
    failed_analyses = analysis_list(tenant=tenant).filter(
        status=Analysis.Status.FAILED, id__gte=id_floor("ana", since)
    )
    for analysis in failed_analyses.order_by("-id")[:MOST_TROUBLES]:
        url = reverse("dashboard:session", args=[analysis.session_id])
        found.append(Trouble("activity", "An analysis failed", url, analysis.created_at))
    if admin:
        found += _disabled_endpoints(tenant)
    return sorted(found, key=lambda trouble: trouble.at, reverse=True)[:MOST_TROUBLES]


def _disabled_endpoints(tenant: Tenant) -> list[Trouble]:
    try:
        url = reverse("webhooks:endpoints")
    except NoReverseMatch:
        return []
    disabled = endpoint_list(tenant=tenant).filter(
        status=Endpoint.Status.DISABLED, disabled_reason__isnull=False
    )
    return [
        Trouble(
            "webhook",
            "A webhook endpoint was disabled",
            url,
            endpoint.disabled_at or endpoint.created_at,
            endpoint.url,
        )
        for endpoint in disabled.order_by("-id")[:MOST_TROUBLES]
    ]
