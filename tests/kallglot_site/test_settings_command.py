from io import StringIO
from pathlib import Path

from django.core.management import call_command

from kallglot_site.env import SETTINGS


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("settings", *arguments, stdout=out)
    return out.getvalue()


def test_the_configuration_page_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text() == printed("--markdown"), "run `make docs`"


def test_every_setting_stands_on_the_page_with_its_purpose():
    page = printed("--markdown")
    for setting in SETTINGS:
        assert f"| `{setting.name}` |" in page
        assert setting.help in page


def test_present_values_are_printed_without_secrets(settings):
    settings.ENV = settings.ENV | {
        "KALLGLOT_SECRET_KEY": "do-not-print-me",
        "DATABASE_URL": "postgres://user:hunter2@db/kallglot",
        "KALLGLOT_ALLOWED_HOSTS": ["a.example", "b.example"],
    }
    lines = printed().splitlines()
    assert "KALLGLOT_SECRET_KEY=(set, not shown)" in lines
    assert "DATABASE_URL=(set, not shown)" in lines
    assert "KALLGLOT_ALLOWED_HOSTS=a.example,b.example" in lines
    assert "KALLGLOT_DEBUG=false" in lines
    assert len(lines) == len(SETTINGS)
