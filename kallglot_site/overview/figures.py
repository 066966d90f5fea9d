"""The numbers of the overview: read in a handful of queries, kept for half a minute."""

import datetime
import statistics
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
from recordings_app.models import Recording
from recordings_app.selectors import recordings_of
from sessions_app.models import Segment, Session, Track
from sessions_app.selectors import sessions_of
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
    dates = [first + datetime.timedelta(days=number) for number in range(DAYS)]
    rows = (
        sessions_of(tenant)
        .filter(id__gte=_first_id(first))
        # The mode as an expression: SQLite would group in the order of its index, and read it all.
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
        # Noon UTC of the day: no zone of the browser makes another day of it.
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
    """The place of a session's day among ``dates``, by its id: no date is reckoned per row."""
    later = [When(id__gte=_first_id(date), then=Value(number)) for number, date in enumerate(dates)]
    return Case(*reversed(later), default=Value(0), output_field=IntegerField())


def _languages(tenant: Tenant, first: datetime.date) -> list[Language]:
    heard = (
        Track.objects.filter(
            # A track is made after its session: bounded twice, either may be read first.
            id__gte=id_floor("trk", _midnight(first)),
            session__in=sessions_of(tenant).filter(id__gte=_first_id(first)),
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
    recent = sessions_of(tenant).filter(started_at__isnull=False).order_by("-id").values("pk")[:20]
    # Latest first by an expression: by the key, the planner may read every segment backwards.
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
