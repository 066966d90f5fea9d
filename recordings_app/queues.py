"""The work on recordings that workers lease. How leases work: ``kallglot_site.leases``."""

import datetime
from typing import Final

from django.db.models import Q

from kallglot_site.leases import WorkQueue
from recordings_app.media.encryption import MediaKeyError
from recordings_app.models import Assembly, RecordingFile

_BACKOFF: Final = datetime.timedelta(seconds=10)

ASSEMBLIES: Final = WorkQueue(
    name="assemblies",
    model=Assembly,
    task="recordings_app.tasks.assemble_due",
    open=Q(status=Assembly.Status.DUE),
    max_attempts=6,
    backoff=lambda attempts: _BACKOFF * 4 ** (attempts - 1),
    permanent=(MediaKeyError,),
    error="error",
)
VARIANTS: Final = WorkQueue(
    name="variants",
    model=RecordingFile,
    task="recordings_app.tasks.make_variants_due",
    open=Q(status=RecordingFile.Status.PROCESSING),
    related=("recording",),
    max_attempts=3,
    backoff=lambda attempts: _BACKOFF * attempts,
)
