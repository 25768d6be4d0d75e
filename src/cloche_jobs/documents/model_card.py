"""``python -m cloche_jobs.documents.model_card``: a model card as a PDF.

Sections stand in the order of AWS's schema; what a card does not say is left out. Text outside of the fonts that every
PDF viewer has (Latin) is shown by its code points, and a note at the end says so.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from cloche_jobs.contract.failure import EXIT_FAILURE, EXIT_SUCCESS, PlatformError, write_failure
from cloche_jobs.contract.layout import Layout
from cloche_jobs.documents.metric_figures import figure_of
from cloche_jobs.documents.places import card_file, document_file

SECTIONS: Final = (
    ("model_overview", "Model overview"),
    ("model_package_details", "Model package"),
    ("intended_uses", "Intended uses"),
    ("business_details", "Business details"),
    ("training_details", "Training details"),
    ("evaluation_details", "Evaluation details"),
    ("additional_information", "Additional information"),
)
_STYLES: Final = getSampleStyleSheet()
_TEXT: Final = ParagraphStyle("text", parent=_STYLES["BodyText"], fontSize=9, leading=12, wordWrap="CJK")
_LABEL: Final = ParagraphStyle("label", parent=_TEXT, textColor=colors.HexColor("#555555"))
_HEADINGS: Final = (_STYLES["Heading2"], _STYLES["Heading3"], _STYLES["Heading4"])
_GRID: Final = TableStyle(
    [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.HexColor("#dddddd")),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
    ]
)
_WIDTH: Final = A4[0] - 40 * mm - 12
"""Between the margins, less the padding of the frame."""
_ENCODING: Final = "cp1252"
"""What the standard fonts of PDF show (WinAnsiEncoding)."""


class CardDocument:
    """Flowables of one card, collected section by section."""

    def __init__(self) -> None:
        self.flow: list[Flowable] = []
        self.unshown = False

    def text(self, value: Any, style: ParagraphStyle = _TEXT) -> Paragraph:
        words = str(value)
        shown = "".join(sign if _is_shown(sign) else f"\\u{ord(sign):04x}" for sign in words)
        self.unshown = self.unshown or shown != words
        return Paragraph(escape(shown).replace("\n", "<br/>"), style)

    def heading(self, words: str, level: int = 0) -> None:
        self.flow.append(self.text(words, _HEADINGS[min(level, len(_HEADINGS) - 1)]))

    def table(self, rows: list[tuple[str, Any]]) -> None:
        if rows:
            cells = [[self.text(label, _LABEL), self.text(value)] for label, value in rows]
            self.flow.append(Table(cells, colWidths=(_WIDTH * 0.3, _WIDTH * 0.7), style=_GRID))
            self.flow.append(Spacer(1, 3 * mm))

    def members(self, members: dict[str, Any], level: int = 1) -> None:
        """Plain members as a table, then what has parts under headings of its own."""
        plain = {name: value for name, value in members.items() if _is_plain(value)}
        self.table([(_words(name), _joined(value)) for name, value in plain.items()])
        for name, value in members.items():
            if name in plain or not value:
                continue
            if name == "custom_details":
                self.heading(_words(name), level)
                self.table(list(value.items()))
            elif isinstance(value, dict):
                self.heading(_words(name), level)
                self.members(value, level + 1)
            elif name in _OF_PAIRS and isinstance(value, list):
                self.heading(_words(name), level)
                self.table([(each.get("name", ""), _with_notes(each)) for each in value])
            else:
                for each in value:
                    self.heading(str(each.get("name") or _words(name)), level)
                    self.members({key: held for key, held in each.items() if key != "name"}, level + 1)

    def evaluation(self, job: dict[str, Any]) -> None:
        self.heading(str(job.get("name", "Evaluation")), 1)
        self.members({name: value for name, value in job.items() if name not in ("name", "metric_groups")}, 2)
        for group in job.get("metric_groups") or ():
            self.heading(str(group.get("name", "")), 2)
            metrics = group.get("metric_data") or ()
            simple = [each for each in metrics if not isinstance(each.get("value"), list)]
            self.table([(each.get("name", ""), _with_notes(each)) for each in simple])
            for metric in metrics:
                if isinstance(metric.get("value"), list):
                    self.flow.append(self.text(metric.get("name", ""), _LABEL))
                    self.flow.append(figure_of(metric, _WIDTH))
                    if metric.get("notes"):
                        self.flow.append(self.text(metric["notes"]))
                    self.flow.append(Spacer(1, 3 * mm))


_OF_PAIRS: Final = frozenset(
    {"training_metrics", "user_provided_training_metrics", "hyper_parameters", "user_provided_hyper_parameters"}
)


def flow_of(card: dict[str, Any]) -> list[Flowable]:
    """The document's matter. ``card`` is what ``places.card_file`` holds."""
    document = CardDocument()
    document.flow.append(document.text(card["name"], _STYLES["Title"]))
    written = datetime.fromtimestamp(card["written_at"], UTC).isoformat(sep=" ", timespec="seconds")
    document.table([("Version", card["version"]), ("Status", card["status"]), ("Written", written)])
    content = card["content"]
    for name, title in SECTIONS:
        held = content.get(name)
        if not held:
            continue
        document.heading(title)
        if name == "evaluation_details":
            for job in held:
                document.evaluation(job)
        else:
            document.members(held)
    if document.unshown:
        note = "Characters outside of the Latin fonts are shown by their code points."
        document.flow.append(document.text(note, _LABEL))
    return document.flow


def write(card: dict[str, Any], path: Path) -> None:
    template = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=18 * mm,
        title=f"Model card {card['name']}, version {card['version']}",
        author="",
        creator="Cloche",
        invariant=True,
    )
    template.build(flow_of(card), onFirstPage=_foot(card), onLaterPages=_foot(card))


def _foot(card: dict[str, Any]) -> Any:
    def draw(canvas: Any, template: Any) -> None:
        canvas.setFont("Helvetica", 7)
        canvas.setFillGray(0.4)
        canvas.drawString(20 * mm, 10 * mm, f"{card['name']}, version {card['version']}, {card['status']}")
        canvas.drawRightString(A4[0] - 20 * mm, 10 * mm, str(template.page))

    return draw


def _is_shown(sign: str) -> bool:
    if sign == "\n":
        return True
    try:
        return bool(sign.encode(_ENCODING)) and sign.isprintable()
    except UnicodeEncodeError:
        return False


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(not isinstance(each, (dict, list)) for each in value)
    return not isinstance(value, dict)


def _joined(value: Any) -> str:
    return "\n".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _with_notes(pair: dict[str, Any]) -> str:
    notes = pair.get("notes")
    return f"{pair.get('value', '')}\n{notes}" if notes else str(pair.get("value", ""))


def _words(name: str) -> str:
    """``training_job_details`` as people read it; names that people gave stay as they are."""
    return name.replace("_", " ").capitalize() if name.islower() else name


def main() -> int:
    layout = Layout.here()
    try:
        card = json.loads(card_file(layout).read_text(encoding="utf-8"))
        write(card, document_file(layout))
    except Exception as error:
        write_failure(layout.failure, PlatformError(f"the document could not be made: {type(error).__name__}: {error}"))
        return EXIT_FAILURE
    return EXIT_SUCCESS


if __name__ == "__main__":
    sys.exit(main())
