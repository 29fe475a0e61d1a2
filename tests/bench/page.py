"""The page in the documentation: prose by hand, and between marks what the last run of each part found."""

import json
import re
from dataclasses import asdict
from pathlib import Path

from bench.chart import draw_chart
from bench.figures import Report, write_goals, write_table

PAGE = Path("shared/docs/performance.md")


class MarkMissing(Exception):
    """The page has no place for a part."""


def save_report(report: Report, *, root: Path, about: str) -> None:
    """Write a part's figures as JSON, its charts as SVG, and both into the page. `about` says when, where and how.

    :raises MarkMissing: if the page has no marks for the part
    """
    page = root / PAGE
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    found = json.dumps({"about": about, **asdict(report)}, indent=1, ensure_ascii=False)
    (folder / f"{report.part}.json").write_text(found + "\n", encoding="utf-8")
    for chart in report.charts:
        (folder / f"{chart.name}.svg").write_text(draw_chart(chart), encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    page.write_text(replace_part(text, report.part, write_part(report, about=about)), encoding="utf-8")


def write_part(report: Report, *, about: str) -> str:
    """Write a part as Markdown."""
    pieces = [f"{about}\n", write_goals(report.goals)]
    pieces += [f"{table.title}\n\n{write_table(table.columns, table.rows)}" for table in report.tables]
    pieces += [f"![{chart.title}]({PAGE.stem}/{chart.name}.svg)\n" for chart in report.charts]
    return "\n".join(pieces)


def replace_part(text: str, part: str, found: str) -> str:
    """Put what was found between the marks of a part. :raises MarkMissing: if there are none"""
    begin, end = f"<!-- bench:{part} -->", f"<!-- end of bench:{part} -->"
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not marked.search(text):
        raise MarkMissing(f"the page has no {begin} … {end} to write between")
    return marked.sub(lambda _: f"{begin}\n{found}{end}", text)
