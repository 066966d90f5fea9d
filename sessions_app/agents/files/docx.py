"""Word documents (Office Open XML)."""

import io
import re
import zipfile
from typing import Final

from sessions_app.agents.files.blocks import Block, Unreadable, block, collected

MAX_UNPACKED: Final = 100 * 1024 * 1024
"""Bytes of all parts together."""
MAX_RATIO: Final = 200
"""Bytes of all parts per byte of the file. Text packs to about a tenth."""

_HEADING = re.compile(r"heading (\d)")


def read_docx(content: bytes) -> list[Block]:
    """Paragraphs, headings by their styles, and tables row by row."""
    _unpacked_check(content)
    import docx
    from docx.table import Table

    try:
        document = docx.Document(io.BytesIO(content))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Unreadable("The file is not a Word document (.docx).") from error
    blocks: list[Block | None] = []
    for part in document.iter_inner_content():
        if isinstance(part, Table):
            for row in part.rows:
                cells = dict.fromkeys(cell.text.strip() for cell in row.cells)
                blocks.append(block(", ".join(filter(None, cells))))
        else:
            style = ((part.style.name if part.style else "") or "").lower()
            heading = _HEADING.match(style)
            level = int(heading[1]) if heading else 1 if style == "title" else 0
            blocks.append(block(part.text, min(level, 6)))
    return collected(blocks)


def _unpacked_check(content: bytes) -> None:
    """Raises Unreadable for what is no zip file, or unpacks to far more than its size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise Unreadable("The file is not a Word document (.docx).") from error
    if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * len(content):
        raise Unreadable("The file unpacks to far more than a document.")
