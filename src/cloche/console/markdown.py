"""Markdown of text widgets as HTML: headings, paragraphs, lists, emphasis, code, links to http(s).

Everything is escaped first; what is made of it afterwards is of this module's own tags alone, so that no text can bring
markup or a script along. Forms that are not known stay the text they are.
"""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

_LINK: Final = re.compile(r"\[([^\]\n]{1,500})\]\((https?://[^\s()<>\"']{1,2000})\)")
_CODE: Final = re.compile(r"`([^`\n]+)`")
_BOLD: Final = re.compile(r"\*\*([^*\n]+)\*\*")
_ITALIC: Final = re.compile(r"\*([^*\n]+)\*")
_HEADING: Final = re.compile(r"(#{1,6})\s+(.*)")
_ITEM: Final = re.compile(r"\s{0,8}(?:[-*+]|\d{1,9}[.)])\s+(.*)")


def render(text: str) -> Markup:
    made: list[str] = []
    is_list = False
    paragraph: list[str] = []

    def end_paragraph() -> None:
        if paragraph:
            made.append(f"<p>{'<br>'.join(paragraph)}</p>")
            paragraph.clear()

    for line in text.splitlines():
        item, heading = _ITEM.fullmatch(line), _HEADING.fullmatch(line.strip())
        if is_list and item is None:
            made.append("</ul>")
            is_list = False
        if item is not None:
            end_paragraph()
            if not is_list:
                made.append("<ul>")
                is_list = True
            made.append(f"<li>{_inline(item[1])}</li>")
        elif heading is not None:
            end_paragraph()
            level = min(len(heading[1]) + 1, 6)
            made.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
        elif line.strip():
            paragraph.append(_inline(line.strip()))
        else:
            end_paragraph()
    end_paragraph()
    if is_list:
        made.append("</ul>")
    return Markup("".join(made))  # noqa: S704 - made of escaped text and our own tags


def _inline(text: str) -> str:
    """Code and links are taken out first, so that nothing in them is read again."""
    kept: list[str] = []

    def keep(html: str) -> str:
        kept.append(html)
        return f"\x00{len(kept) - 1}\x00"

    safe = str(escape(text.replace("\x00", "")))
    safe = _CODE.sub(lambda found: keep(f"<code>{found[1]}</code>"), safe)
    safe = _LINK.sub(lambda found: keep(f'<a href="{found[2]}" rel="noreferrer">{found[1]}</a>'), safe)
    safe = _ITALIC.sub(r"<em>\1</em>", _BOLD.sub(r"<strong>\1</strong>", safe))
    return re.sub("\x00(\\d+)\x00", lambda found: kept[int(found[1])], safe)
