"""``manage.py settings``: every setting, with its present value or as documentation."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from kallglot_site.env import SECTIONS, SETTINGS, Setting, as_text
from kallglot_site.operator_commands import ShortUsage

_HEAD = """\
# Configuration

All settings are environment variables, and all are optional. `make docs` writes this page from
`kallglot_site/env.py`: change the texts there.

A wrong value, or a `KALLGLOT_` variable that does not exist, stops the start with exit code 2. All
such errors are listed at once, each with a line that says what to set. `manage.py settings` prints
the present values, `manage.py check` the errors in them.
"""


class Command(ShortUsage):
    help = "List every setting with its value here; secrets are not shown."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--markdown", action="store_true", help="print docs/configuration.md")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(markdown() if options["markdown"] else in_force(settings.ENV), ending="")


def in_force(values: dict[str, Any]) -> str:
    return "".join(f"{setting.name}={_shown(setting, values)}\n" for setting in SETTINGS)


def _shown(setting: Setting, values: dict[str, Any]) -> str:
    value = values[setting.name]
    if setting.secret or "@" in str(value):
        return "(set, not shown)" if value else "(not set)"
    return as_text(value)


def markdown() -> str:
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(
            f"\n## {section}\n\n| variable | value | default | purpose |\n|---|---|---|---|\n"
        )
        parts.extend(_row(setting) for setting in SETTINGS if setting.section == section)
    return "".join(parts)


def _row(setting: Setting) -> str:
    kind = setting.kind.replace("|", "\\|")
    default = f"`{setting.default}`" if setting.default else "(empty)"
    secret = " Secret." if setting.secret else ""
    return f"| `{setting.name}` | {kind} | {default} | {setting.help}{secret} |\n"
