"""Plain text, and Markdown."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from sessions_app.agents.files.blocks import QUESTION_MARKS, Block, Unreadable, block, collected

_PARAGRAPHS = re.compile(r"\n\s*\n")


def decoded(content: bytes) -> str:
    """The text of a file: by its byte order mark, else UTF-8, else Windows' western code page.

    Raises Unreadable: it is no text.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise Unreadable("The file is not text, although its name says so.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def read_txt(content: bytes) -> list[Block]:
    """Paragraphs are separated by empty lines, or else each line is one."""
    text = decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    paragraphs = _PARAGRAPHS.split(text)
    if len(paragraphs) == 1:
        return collected([block(line) for line in text.split("\n")])
    blocks: list[Block | None] = []
    for paragraph in paragraphs:
        # A question with its answer on the next line is a heading with its paragraph.
        first, _, rest = paragraph.strip().partition("\n")
        if rest and first.rstrip().endswith(QUESTION_MARKS):
            blocks += [block(first), block(rest)]
        else:
            blocks.append(block(paragraph))
    return collected(blocks)


def read_md(content: bytes) -> list[Block]:
    """Markdown (CommonMark with tables), without its marks."""
    text = decoded(content)
    if text.startswith("---\n"):  # metadata of site generators
        text = text.partition("\n---\n")[2] or text
    parser = MarkdownIt("commonmark", {"maxNesting": 20}).enable("table")
    blocks: list[Block | None] = []
    level = 0
    row: list[str] | None = None
    for token in parser.parse(text):
        if token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            blocks.append(block(", ".join(row or [])))
            row = None
        elif token.type == "inline" and row is not None:
            row.append(_inline(token))
        elif token.type == "inline":
            blocks.append(block(_inline(token), level))
            level = 0
        elif token.type in ("fence", "code_block"):
            blocks.append(block(token.content))
    return collected(blocks)


def _inline(token: Token) -> str:
    parts = []
    for child in token.children or []:
        if child.type in ("text", "code_inline"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts)
