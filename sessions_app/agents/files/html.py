"""Web pages."""

from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from sessions_app.agents.files.blocks import Block, block, collected
from sessions_app.agents.files.plain import decoded

_NO_TEXT: Final = (
    "script, style, noscript, template, nav, footer, aside, form, iframe, svg, object, head, "
    "[hidden], [aria-hidden=true]"
)
_BLOCKS: Final = {
    "address", "article", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html",
    "li", "main", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr",
    "ul", "br",
}  # fmt: skip
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)} | {"dt": 6, "summary": 6}
_CELLS: Final = ("td", "th")


def read_html(content: bytes) -> list[Block]:
    """The page's own text, without what stands around it: navigation, forms, scripts."""
    tree = LexborHTMLParser(decoded(content))
    for node in tree.css(_NO_TEXT):
        node.decompose()
    top = tree.css_first("main") or tree.css_first("article") or tree.body
    if top is None:
        return collected([])
    blocks: list[Block | None] = []
    text: list[str] = []
    level = 0

    def end() -> None:
        nonlocal level
        blocks.append(block("".join(text), level))
        text.clear()

    # Not recursive: pages may be nested more deeply than Python's stack is.
    waiting: list[tuple[LexborNode, bool]] = [(top, False)]
    while waiting:
        node, leaving = waiting.pop()
        tag = node.tag or ""
        if tag == "-text":
            text.append(node.text_content or "")
            continue
        if tag in _BLOCKS:
            end()
            if tag in _HEADINGS:
                level = 0 if leaving else _HEADINGS[tag]
        elif tag in _CELLS and text and not leaving:
            text.append(", ")
        if leaving:
            continue
        waiting.append((node, True))
        children = list(node.iter(include_text=True))
        waiting += [(child, False) for child in reversed(children)]
    end()
    return collected(blocks)
