"""Translates the transcripts of ended sessions into further languages, in the worker.

Claim, commit, translate, store: no engine runs inside a transaction. Segments are stored as they
are translated, so that the next worker goes on where one was killed.
"""

import asyncio
import contextlib
import datetime
import itertools
import random
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from kallglot_site.api.errors import NotFound
from kallglot_site.leases import LEASE, TURN_SECONDS, LeaseLost, WorkQueue
from sessions_app.capabilities import text_translation_pairs, text_translator_url
from sessions_app.engines.base import (
    EngineError,
    EngineRejected,
    TranslationRequest,
    Translator,
)
from sessions_app.engines.registry import translator_from_url
from sessions_app.engines.urls import EngineContext
from sessions_app.errors import (
    FeatureNotAvailable,
    SessionNotEnded,
    TranscriptUnavailable,
    UnsupportedLanguagePair,
)
from sessions_app.languages import base_language
from sessions_app.models import (
    TO_TRANSLATE,
    Segment,
    Session,
    TranscriptTranslation,
    TranslatedSegment,
)
from sessions_app.selectors import transcript_languages, transcript_segments
from sessions_app.services.locks import session_lock

log = structlog.get_logger(__name__)

AT_ONCE: Final = 4
"""Segments that are translated at the same time, and stored together."""

CONTEXT: Final = 3
"""Segments before the one to translate that the engine is given."""

_BACKOFF: Final = datetime.timedelta(seconds=10)
_Texts = Mapping[str, str | None]
"""Translations by the segments' ids; None: no engine can translate the segment."""


def _backoff(attempts: int) -> datetime.timedelta:
    """Doubled each time, with jitter."""
    return _BACKOFF * (1 << (attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter


TRANSLATIONS = WorkQueue(
    name="translations",
    model=TranscriptTranslation,
    task="sessions_app.tasks.translate_due",
    open=TO_TRANSLATE,
    ready=Q(session__transcript_status=Session.TranscriptStatus.COMPLETE),
    related=("session",),
    max_attempts=8,
    backoff=_backoff,
    at_claim=lambda now: {"status": TranscriptTranslation.Status.PROCESSING},
)


def configured_translator() -> Translator:
    """Raises EngineMisconfigured."""
    return translator_from_url(text_translator_url(), EngineContext(data_dir=settings.DATA_DIR))


# --- asking for one ------------------------------------------------------------------------------


def transcript_translation_request(*, session: Session, language: str) -> TranscriptTranslation:
    """Queue the translation of an ended session's transcript. It waits while the transcript is
    still being completed. Asking again returns the same one; a failed one is tried again.

    Raises SessionNotEnded, TranscriptUnavailable, FeatureNotAvailable, UnsupportedLanguagePair,
    NotFound.
    """
    if not session.is_ended:
        raise SessionNotEnded("This session has not ended. End it, then translate its transcript.")
    if session.transcript_status == Session.TranscriptStatus.COMPLETE and not session.segment_count:
        raise TranscriptUnavailable("Nothing was said in this session: there is no transcript.")
    language = base_language(language)
    _pair_require(session, language)
    with transaction.atomic():
        if session_lock(session.id) is None:
            raise NotFound("session")  # erased meanwhile
        translation, created = TranscriptTranslation.objects.get_or_create(
            session=session, language=language
        )
        if created or translation.status == TranscriptTranslation.Status.FAILED:
            _queue(translation)
    return translation


def _queue(translation: TranscriptTranslation) -> None:
    """What was translated before it failed is kept."""
    translation.status = TranscriptTranslation.Status.QUEUED
    translation.attempts = 0
    translation.error = translation.completed_at = None
    translation.due_at = timezone.now()
    translation.save()
    translation.segments.filter(text=None).delete()
    TRANSLATIONS.ring()


def _pair_require(session: Session, target: str) -> None:
    """One of the languages of the transcript must be translatable into ``target``, or be it."""
    found = Segment.objects.filter(session=session).distinct()
    languages = itertools.chain(*found.values_list("language", "translation_language"))
    spoken = {base_language(each) for each in languages if each}
    if target in spoken:
        return
    pairs = text_translation_pairs()
    if not pairs:
        raise FeatureNotAvailable(
            "This installation has no engine that translates texts: set TRANSLATOR_URL."
        )
    # Languages may still be unknown while the transcript is being completed.
    sources = spoken or {source for source, _ in pairs}
    if any((source, target) in pairs for source in sources):
        return
    possible = sorted(to for source, to in pairs if source in sources) or sorted(
        {to for _, to in pairs}
    )
    raise UnsupportedLanguagePair(
        f"This installation cannot translate {', '.join(sorted(spoken)) or 'any language'} into "
        f"{target}. Possible: {', '.join(dict.fromkeys(possible))}.",
        param="language",
    )


# --- the work ------------------------------------------------------------------------------------


def transcript_translations_run_due() -> int:
    """Work on every translation that is due. Returns how many were started."""
    return TRANSLATIONS.work_off(_run, _give_up)


class _Defect(Exception):
    """An engine broke. Only where it did is kept: its message may quote the call."""

    def __init__(self, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        super().__init__(f"{type(error).__name__} in {where.filename}:{where.lineno}")


def _run(translation: TranscriptTranslation) -> None:
    """Translate what is left of a claimed translation. Raises LeaseLost."""
    try:
        done = _translate_rest(translation)
    except EngineError as error:
        log.warning("translation_failed", id=translation.id, reason=type(error).__name__)
        _retry(translation, error)
    except _Defect as error:
        log.error("translation_broke", id=translation.id, reason=str(error))
        _fail(translation, "The translator met an internal error.")
    else:
        if done:
            _complete(translation)
        else:  # it takes long: others are served in between
            TRANSLATIONS.give_back(translation, datetime.timedelta(), counted=False)


def _retry(translation: TranscriptTranslation, error: EngineError) -> None:
    if not error.retryable or TRANSLATIONS.is_last_attempt(translation):
        _fail(translation, "The translator could not be reached.")
        return
    after = _backoff(translation.attempts)
    TRANSLATIONS.give_back(translation, after, status=TranscriptTranslation.Status.QUEUED)


def _translate_rest(translation: TranscriptTranslation) -> bool:
    """Translate and store the segments that have no text yet. Returns whether none is left.

    Raises EngineError, LeaseLost.
    """
    until = time.monotonic() + TURN_SECONDS
    _store(translation, _translated_live(translation))
    waiting = _requests(translation)
    if not waiting:
        return True
    with _started_translator() as (runner, translator):
        for batch in _batches(waiting, AT_ONCE):
            outcomes = runner.run(_translate(translator, [request for _, request in batch]))
            _store_outcomes(translation, [segment.id for segment, _ in batch], outcomes)
            if time.monotonic() > until:
                return False
    return True


def _store_outcomes(
    translation: TranscriptTranslation,
    segment_ids: Sequence[str],
    outcomes: Sequence[str | BaseException],
) -> None:
    """Store what was translated, and what cannot be, before an error is raised."""
    texts: dict[str, str | None] = {}
    errors: list[BaseException] = []
    for segment_id, outcome in zip(segment_ids, outcomes, strict=True):
        if isinstance(outcome, str):
            texts[segment_id] = outcome
        elif isinstance(outcome, EngineRejected):
            texts[segment_id] = None
        else:
            errors.append(outcome)
    _store(translation, texts)
    for error in errors:
        raise error if isinstance(error, EngineError) else _Defect(error)


def _batches(
    waiting: Sequence[tuple[Segment, TranslationRequest]], size: int
) -> Iterator[tuple[tuple[Segment, TranslationRequest], ...]]:
    rest = iter(waiting)
    while batch := tuple(itertools.islice(rest, size)):
        yield batch


def _translated_live(translation: TranscriptTranslation) -> _Texts:
    """What was translated into this language during the call."""
    done = translation.segments.values_list("segment_id", flat=True)
    found = transcript_segments(translation.session).exclude(translation=None).exclude(id__in=done)
    return {
        segment.id: segment.translation
        for segment in found
        if base_language(segment.translation_language or "") == translation.language
    }


def _requests(
    translation: TranscriptTranslation,
) -> list[tuple[Segment, TranslationRequest]]:
    """What is left to translate, in the order in which it was said."""
    segments = list(transcript_segments(translation.session))
    done = set(translation.segments.values_list("segment_id", flat=True))
    target = translation.language
    parties = {base_language(each) for each in transcript_languages(translation.session) if each}
    requests = []
    for index, segment in enumerate(segments):
        source = base_language(segment.language)
        if segment.id in done or source == target:
            continue
        glossary = _glossary(translation.session, parties == {source, target})
        context = tuple(each.text for each in segments[max(0, index - CONTEXT) : index])
        requests.append(
            (segment, TranslationRequest(segment.text, source, target, glossary, context))
        )
    return requests


def _glossary(session: Session, between_the_parties: bool) -> Mapping[str, str]:
    """The session's glossary is for the languages of its parties. In others, only the terms that
    stay as they are can be used."""
    if between_the_parties:
        return dict(session.glossary)
    return {term: text for term, text in session.glossary.items() if term == text}


@contextlib.contextmanager
def _started_translator() -> Iterator[tuple[asyncio.Runner, Translator]]:
    translator = configured_translator()
    with asyncio.Runner() as runner:
        try:
            runner.run(translator.start())
            yield runner, translator
        finally:
            runner.run(translator.close())


async def _translate(
    translator: Translator, requests: Sequence[TranslationRequest]
) -> list[str | BaseException]:
    async def one(request: TranslationRequest) -> str:
        if not translator.supports(request.source, request.target):
            raise EngineRejected(f"{translator.name} does not translate this pair")
        return await translator.translate(request)

    return await asyncio.gather(*map(one, requests), return_exceptions=True)


# --- storing -------------------------------------------------------------------------------------


@transaction.atomic
def _store(translation: TranscriptTranslation, texts: _Texts) -> None:
    """Store translated segments. Raises LeaseLost, also if the session was erased.

    Attempts are counted anew with every progress: only those that got nowhere make it fail.
    """
    if not texts:
        return
    # The session first, as everywhere: it may be being erased.
    session_lock(translation.session_id)
    held = TRANSLATIONS.rows_held(translation.lease).filter(pk=translation.pk)
    if not held.update(attempts=1, due_at=timezone.now() + LEASE):
        raise LeaseLost
    translation.attempts = 1
    TranslatedSegment.objects.bulk_create(
        TranslatedSegment(translation=translation, segment_id=segment_id, text=text)
        for segment_id, text in texts.items()
    )


def _complete(translation: TranscriptTranslation) -> None:
    stored = translation.segments.all()
    if not translation.session.segment_count:
        _fail(translation, "Nothing was said in this session.")
    elif stored.exists() and not stored.exclude(text=None).exists():
        _fail(translation, f"No engine translates this transcript into {translation.language}.")
    else:
        _finish(translation, TranscriptTranslation.Status.COMPLETE, None)


def _give_up(translation: TranscriptTranslation, error: Exception | None) -> None:
    _fail(translation, "The translation was interrupted too many times.")


def _fail(translation: TranscriptTranslation, reason: str) -> None:
    _finish(translation, TranscriptTranslation.Status.FAILED, reason)


def _finish(translation: TranscriptTranslation, status: str, error: str | None) -> None:
    TRANSLATIONS.finish(translation, status=status, error=error, completed_at=timezone.now())
