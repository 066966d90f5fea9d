"""Records the outcomes of attempts, many of them in few statements."""

import datetime
import logging
from collections import defaultdict
from collections.abc import Sequence

from django.db import DatabaseError, OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone

from webhooks_app.delivery import schedule
from webhooks_app.delivery.messages import Answer, Message
from webhooks_app.models import Attempt, Delivery, Endpoint
from webhooks_app.services import endpoint_disable

logger = logging.getLogger(__name__)

Result = tuple[Message, Answer]


def outcomes_record(owner: str, results: Sequence[Result]) -> None:
    """Record attempts that ``owner`` made, except on rows that another dispatcher has by now.

    An attempt that cannot be written stops no other. Raises OperationalError: the database is
    away, and nothing or only a part was recorded; repeat it.
    """
    try:
        _record(owner, results)
    except OperationalError:
        raise
    except DatabaseError:
        logger.exception("recording %d attempts one by one", len(results))
        for result in results:
            try:
                _record(owner, [result])
            except OperationalError:
                raise
            except DatabaseError:
                logger.exception("attempt of %s not recorded", result[0].delivery_id)


@transaction.atomic
def _record(owner: str, results: Sequence[Result]) -> None:
    now = timezone.now()
    by_endpoint: dict[str, list[Result]] = defaultdict(list)
    for message, answer in results:
        by_endpoint[message.endpoint_id].append((message, answer))
    # Endpoints before deliveries, each in the order of their ids: as everywhere, against deadlocks.
    to_disable = _endpoints_update(by_endpoint, now)
    rows = Q(id__in=[message.delivery_id for message, _ in results], claim_id=owner)
    if to_disable:  # also lock all deliveries that will be cancelled below
        rows |= Q(endpoint__in=[endpoint.id for endpoint, _ in to_disable])
    claims = dict(
        Delivery.objects.filter(rows, status=Delivery.Status.PENDING)
        .order_by("id")
        .select_for_update()
        .values_list("id", "claim_id")
    )
    _deliveries_update([each for each in results if claims.get(each[0].delivery_id) == owner], now)
    for endpoint, reason in to_disable:
        logger.warning("webhook endpoint %s disabled: %s", endpoint.id, reason)
        endpoint_disable(endpoint=endpoint, reason=reason)


def _deliveries_update(results: Sequence[Result], now: datetime.datetime) -> None:
    Attempt.objects.bulk_create(_attempt(message, answer) for message, answer in results)
    delivered = [message.delivery_id for message, answer in results if answer.succeeded]
    if delivered:
        Delivery.objects.filter(id__in=delivered).update(
            status=Delivery.Status.DELIVERED,
            attempts=F("attempts") + 1,
            tries=F("tries") + 1,
            next_attempt_at=None,
            claim_id="",
        )
    for message, answer in results:
        if answer.succeeded:
            continue
        due = schedule.next_attempt_at(message.tries + 1, now, answer.retry_after)
        if answer.status_code == 410:
            due = None
        Delivery.objects.filter(id=message.delivery_id).update(
            status=Delivery.Status.PENDING if due else Delivery.Status.FAILED,
            attempts=F("attempts") + 1,
            tries=F("tries") + 1,
            next_attempt_at=due,
            claim_id="",
        )


def _attempt(message: Message, answer: Answer) -> Attempt:
    return Attempt(
        delivery_id=message.delivery_id,
        endpoint_id=message.endpoint_id,
        number=message.attempts + 1,
        at=answer.at,
        duration_ms=answer.duration_ms,
        status_code=answer.status_code,
        error=answer.error[:500] if answer.error else None,
        request_headers=answer.request_headers,
        response_headers=answer.response_headers,
        response_body=answer.response_body,
        succeeded=answer.succeeded,
    )


def _endpoints_update(
    by_endpoint: dict[str, list[Result]], now: datetime.datetime
) -> list[tuple[Endpoint, str]]:
    """Keep each endpoint's health. Returns those to disable, with the reason.

    Costs no query for endpoints that were healthy and still are.
    """
    affected = [
        endpoint_id
        for endpoint_id, results in by_endpoint.items()
        if any(message.troubled or not answer.succeeded for message, answer in results)
    ]
    if not affected:
        return []
    to_disable = []
    for endpoint in (
        Endpoint.objects.filter(id__in=affected).order_by("id").select_for_update(no_key=True)
    ):
        reason = _endpoint_judge(endpoint, [answer for _, answer in by_endpoint[endpoint.id]], now)
        endpoint.save(update_fields=["failing_since", "slowdown", "paused_until"])
        if reason and endpoint.is_enabled and endpoint.kind == Endpoint.Kind.SUBSCRIPTION:
            to_disable.append((endpoint, reason))
    return to_disable


def _endpoint_judge(
    endpoint: Endpoint, answers: Sequence[Answer], now: datetime.datetime
) -> str | None:
    """Set the endpoint's health after these answers; returns a reason to disable it, or None."""
    if any(answer.succeeded for answer in answers):
        endpoint.failing_since = None
    elif endpoint.failing_since is None:
        endpoint.failing_since = now
    slowed = [answer for answer in answers if answer.status_code in schedule.SLOWED_BY]
    if slowed:
        endpoint.slowdown = min(endpoint.slowdown + 1, schedule.MAX_SLOWDOWN)
        asked = max((answer.retry_after or 0.0 for answer in slowed), default=0.0)
        pause = schedule.pause_seconds(endpoint.slowdown, asked or None)
        endpoint.paused_until = now + datetime.timedelta(seconds=pause)
    elif endpoint.slowdown and any(answer.succeeded for answer in answers):
        endpoint.slowdown -= 1
    if any(answer.status_code == 410 for answer in answers):
        return Endpoint.DisabledReason.GONE
    if endpoint.failing_since and now - endpoint.failing_since >= schedule.FAILING_LIMIT:
        return Endpoint.DisabledReason.FAILING
    return None
