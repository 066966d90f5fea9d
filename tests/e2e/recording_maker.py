"""Makes recordings that are ready, in the installation of its environment: for tests that need no
real call.

``python recording_maker.py ORGANIZATION COUNT [BYTES]`` prints each recording's id and its file's
name in the storage, one pair a line.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")

import django


def main(organization_id: str, count: str, size: str = str(512 * 1024)) -> None:
    django.setup()
    from kallglot_site.accounts.models import Organization
    from kallglot_site.accounts.tenancy import Tenant
    from tests.factories import recording_ready

    tenant = Tenant(Organization.objects.get(pk=organization_id), "live")
    for _ in range(int(count)):
        recording = recording_ready(tenant, bytes(int(size)))
        print(recording.id, recording.files.get().name)


if __name__ == "__main__":
    main(*sys.argv[1:])
