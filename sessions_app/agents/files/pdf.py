"""PDF files that hold text. Scanned pages are images, and are not read."""

import io
import re
from typing import Final

from sessions_app.agents.files.blocks import Block, Unreadable, block, collected

MAX_PAGES: Final = 2000
_ENDS: Final = (".", "!", "?", ":", "…", "\u3002", "\uff01", "\uff1f")
_HYPHEN = re.compile(r"(\w)[-\u00ad]$")
_SHORT: Final = 0.6
_HEADING_WORDS: Final = 12


def read_pdf(content: bytes) -> list[Block]:
    """The lines of its pages, joined to paragraphs. PDF itself knows neither these nor headings."""
    import pypdf
    from pypdf.errors import PyPdfError

    if b"%PDF-" not in content[:1024]:
        raise Unreadable("The file is not a PDF.")
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("The PDF is protected by a password.")
        if len(reader.pages) > MAX_PAGES:
            raise Unreadable(f"The PDF has more than {MAX_PAGES:,} pages. Split it.")
        blocks: list[Block | None] = []
        for page in reader.pages:
            blocks += paragraphs(page.extract_text())
    except PyPdfError as error:
        raise Unreadable("The PDF is damaged.") from error
    try:
        return collected(blocks)
    except Unreadable as error:
        if not any(blocks):
            raise Unreadable(
                "The PDF has no text in it. Scanned pages need text recognition (OCR) first."
            ) from error
        raise


def paragraphs(page: str) -> list[Block | None]:
    """The paragraphs of a page's text, whose lines end where they ended on paper.

    A paragraph ends at an empty line, or with a line that ends a sentence and is short. A short
    line without a full stop that nothing goes on from is a heading.
    """
    lines = [line.strip() for line in page.split("\n")]
    width = max(map(len, lines), default=0)
    blocks: list[Block | None] = []
    text = ""
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if not text and _is_heading(line, following, width):
            blocks.append(block(line, 2))
            continue
        if _HYPHEN.search(text) and line[:1].islower():
            text = text[:-1] + line
        else:
            text = f"{text} {line}".strip()
        if not line or (line.endswith(_ENDS) and len(line) < _SHORT * width):
            blocks.append(block(text))
            text = ""
    blocks.append(block(text))
    return blocks


def _is_heading(line: str, following: str, width: int) -> bool:
    return (
        bool(following)
        and 0 < len(line) < _SHORT * width
        and len(line.split()) <= _HEADING_WORDS
        and not line.endswith((".", ",", ";", ":"))
        and (line[0].isupper() or line[0].isdigit())
        and not following[0].islower()
    )
