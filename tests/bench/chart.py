"""Charts as SVG text: horizontal bars on a logarithmic scale, readable on light and dark pages."""

from collections.abc import Iterator
from html import escape
from math import ceil, floor, log10

from bench.figures import Bar, Chart, show

_WIDTH = 860
_LEFT = 300  # where the bars begin
_RIGHT = 130  # room for the figures behind them
_ROW = 20
_HEADING = 30
_TOP = 56
_LEGEND = "bar: median, line: least to most"
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .title { font-size: 15px; font-weight: 600 } .group { font-weight: 600 } .scale { fill: #777; font-size: 11px }
  .grid { stroke: #ddd } .ours { fill: #0b6e4f } .other { fill: #9aa5b1 } .spread { stroke: #222; stroke-width: 1.2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .scale { fill: #999 } .grid { stroke: #444 } .ours { fill: #3fb68b } .other { fill: #66717e }
    .spread { stroke: #eee }
  }
"""


def draw_chart(chart: Chart) -> str:
    """Draw a chart. :raises ValueError: if there is no bar, or a value is not above zero"""
    bars = [bar for _, group in chart.groups for bar in group]
    if not bars or any(bar.value.low <= 0 for bar in bars):
        raise ValueError(f"the chart {chart.name!r} needs bars, and values above zero for its logarithmic scale")
    first = floor(log10(min(bar.value.low for bar in bars)))
    last = max(ceil(log10(max(bar.value.high for bar in bars))), first + 1)
    height = _TOP + len(chart.groups) * _HEADING + len(bars) * _ROW + 34

    def place(value: float) -> float:
        return _LEFT + (log10(value) - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="12" y="24">{escape(chart.title)}</text>',
        f'<text class="scale" x="12" y="42">{escape(chart.unit)}, logarithmic; {_LEGEND}</text>',
    ]
    for power in range(first, last + 1):
        x = place(10**power)
        lines.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{height - 26}"/>')
        label = show(10.0**power)
        lines.append(f'<text class="scale" x="{x:.1f}" y="{height - 10}" text-anchor="middle">{label}</text>')
    y = _TOP
    for heading, group in chart.groups:
        y += _HEADING
        lines.append(f'<text class="group" x="12" y="{y - 10}">{escape(heading)}</text>')
        for bar in group:
            lines += _draw_bar(bar, y, left=_LEFT, right=place(bar.value.middle))
            lines.append(
                f'<line class="spread" x1="{place(bar.value.low):.1f}" x2="{place(bar.value.high):.1f}" '
                f'y1="{y + 7}" y2="{y + 7}"/>'
            )
            y += _ROW
    return "\n".join([*lines, "</svg>", ""])


def _draw_bar(bar: Bar, y: int, *, left: float, right: float) -> Iterator[str]:
    kind = "ours" if bar.is_ours else "other"
    yield f'<text x="{left - 8:.0f}" y="{y + 11}" text-anchor="end">{escape(bar.label)}</text>'
    yield f'<rect class="{kind}" x="{left:.1f}" y="{y}" width="{max(right - left, 1):.1f}" height="14"/>'
    yield f'<text x="{_WIDTH - 12}" y="{y + 11}" text-anchor="end">{show(bar.value.middle)}</text>'
