"""From files to headings and paragraphs, in the child process."""

import io
import subprocess
import time
import zipfile

import pypdf
import pytest

from sessions_app.agents.files import child
from sessions_app.agents.files.blocks import Block, Unreadable, block
from sessions_app.agents.files.child import file_read
from sessions_app.agents.files.html import read_html
from sessions_app.agents.files.pdf import paragraphs
from sessions_app.agents.files.plain import read_md, read_txt
from tests.sessions_app.agents.files import made


def test_each_format_gives_headings_and_paragraphs():
    plain = [
        Block("Delivery", 1),
        Block("Orders arrive within three working days."),
        Block("Returns", 2),
        Block("Send it back."),
    ]

    assert file_read(made.TEXT.encode(), "md") == plain
    assert file_read(made.docx_file(), "docx") == [*plain, Block("France, 3")]
    assert file_read(made.HTML.encode(), "html") == [
        *plain, Block("Country, Days"), Block("France, 3")
    ]  # fmt: skip
    assert file_read(b"Orders arrive.\n\nSend it\nback.", "txt") == [
        Block("Orders arrive."),
        Block("Send it back."),
    ]
    assert file_read(made.pdf_file(), "pdf") == [
        Block("Delivery", 2),
        Block(
            "Orders arrive within three working days, when they are paid before noon, and within "
            "four working days when they are paid later. Send it back."
        ),
    ]


def test_markdown_loses_its_marks():
    text = (
        "---\ntitle: x\n---\n# A **bold** head\n\nSee [our page](https://x.example) and `code`.\n"
        "\n- one\n- two\n\n| Country | Days |\n|---|---|\n| France | 3 |\n\n```\nraw text\n```\n"
    )
    assert read_md(text.encode()) == [
        Block("A bold head", 1),
        Block("See our page and code."),
        Block("one"),
        Block("two"),
        Block("Country, Days"),
        Block("France, 3"),
        Block("raw text"),
    ]


def test_a_short_question_is_a_heading():
    assert read_txt(b"How long does it take?\nThree days.\n\nAnd abroad?\n\nFive days.") == [
        Block("How long does it take?", 6),
        Block("Three days."),
        Block("And abroad?", 6),
        Block("Five days."),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "Größe: 5 €".encode(),
        "Größe: 5 €".encode("utf-8-sig"),
        "Größe: 5 €".encode("utf-16"),
        "Größe: 5 €".encode("cp1252"),
    ],
)
def test_text_is_read_in_the_common_encodings(content):
    assert read_txt(content) == [Block("Größe: 5 €")]


def test_lines_of_a_pdf_are_joined_to_paragraphs():
    page = (
        "Opening hours\nWe are open from Monday to Friday, and the ware-\nhouse also on "
        "Saturdays, in the morning and\nafternoon.\nOn holidays we are closed everywhere, except "
        "for\nemergencies."
    )
    assert list(filter(None, paragraphs(page))) == [
        Block("Opening hours", 2),
        Block(
            "We are open from Monday to Friday, and the warehouse also on Saturdays, in the "
            "morning and afternoon."
        ),
        Block("On holidays we are closed everywhere, except for emergencies."),
    ]


def test_deeply_nested_pages_are_read():
    page = "<div>" * 50_000 + "deep" + "</div>" * 50_000
    assert read_html(page.encode()) == [Block("deep")]


def encrypted() -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(made.pdf_file()))
    writer.encrypt("secret", algorithm="RC4-128")
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def other_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.txt", "hello")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "format", "says"),
    [
        (b"   \n", "txt", "no text"),
        (b"---", "md", "no text"),
        (b"\0\1\2", "txt", "not text"),
        (b"<script>x</script>", "html", "no text"),
        (b"hello", "pdf", "not a PDF"),
        (b"%PDF-1.4\ngarbage", "pdf", "damaged"),
        (made.pdf_file("")[:-200], "pdf", "no text|damaged"),
        (made.pdf_file(""), "pdf", "OCR"),
        (encrypted(), "pdf", "password"),
        (b"hello", "docx", "not a Word document"),
        (other_zip(), "docx", "not a Word document"),
        (made.docx_file()[:-100], "docx", "not a Word document"),
        (made.zip_bomb(), "docx", "unpacks"),
        (b"x " * 1_100_000, "txt", "2,000,000 characters"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(content, format, says):
    with pytest.raises(Unreadable, match=says):
        file_read(content, format)


def test_a_file_that_takes_too_long_is_given_up():
    slow = made.pdf_file(*["x" * 1000] * 10_000)
    started = time.monotonic()

    with pytest.raises(Unreadable, match="too long"):
        file_read(slow, "pdf", seconds=1)

    assert time.monotonic() - started < 1 + child._GRACE + 5


def test_a_file_that_takes_too_much_memory_is_given_up(monkeypatch):
    content = b"x\n\n" * 900_000
    assert len(file_read(content, "txt")) == 900_000
    monkeypatch.setattr(child, "MEGABYTES", 120)
    with pytest.raises(Unreadable, match="memory"):
        file_read(content, "txt")


def test_the_reader_cannot_see_the_settings(monkeypatch):
    """The child's environment holds nothing but paths."""
    monkeypatch.setenv("KALLGLOT_SECRET_KEY", "secret")
    seen = {}

    def run(*args, **options):
        seen.update(options["env"])
        raise subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(Unreadable, match="too long"):
        file_read(b"x", "txt")
    assert set(seen) == {"PATH", "PYTHONPATH"}


def test_text_can_be_stored_whatever_a_file_holds():
    assert block("one\0 \ud83d two\udc00") == Block("one two")
