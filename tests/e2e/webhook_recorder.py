"""A process that records events on request, like a gateway. Run by ``test_webhook_crashes``.

Reads lines: ``endpoint URL`` · ``record N SESSION`` · ``count STATUS`` · ``claimed``. Answers each
with one line of JSON.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

import django


def main() -> None:
    django.setup()
    from django.db import transaction

    from kallglot_site.accounts.models import Organization
    from kallglot_site.accounts.tenancy import Tenant
    from webhooks_app.delivery.urls import CheckedUrl
    from webhooks_app.models import Delivery
    from webhooks_app.services import endpoint_create, event_record

    organization, _ = Organization.objects.get_or_create(name="Drill")
    tenant = Tenant(organization, "live")

    def record(count: str, session_id: str) -> dict[str, object]:
        ids, slowest = [], 0.0
        for number in range(int(count)):
            started = time.monotonic()
            with transaction.atomic():
                event = event_record(
                    tenant=tenant,
                    type="session.ended",
                    data={"number": number},
                    session_id=session_id,
                )
            slowest = max(slowest, time.monotonic() - started)
            ids.append(event.id)
        return {"ids": ids, "slowest": slowest}

    commands: dict[str, Callable[..., object]] = {
        "endpoint": lambda url: endpoint_create(tenant=tenant, url=CheckedUrl(url), events=["*"])[
            1
        ],
        "record": record,
        "count": lambda status: Delivery.objects.filter(status=status).count(),
        "claimed": lambda: Delivery.objects.exclude(claim_id="").count(),
    }
    print("ready", flush=True)
    for line in sys.stdin:
        name, *arguments = line.split()
        print(json.dumps(commands[name](*arguments)), flush=True)


if __name__ == "__main__":
    main()
