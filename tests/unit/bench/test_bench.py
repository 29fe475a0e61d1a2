"""How benchmarks tell what they found; what they find is not tested here."""

import xml.etree.ElementTree as ET

import pytest
from bench.chart import draw_chart
from bench.figures import Bar, Chart, Goal, Report, Spread, Table, ratio, show, times, write_table
from bench.page import PAGE, MarkMissing, replace_part, save_report
from bench.rounds import Variant, measure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0, "0", id="nothing"),
        pytest.param(1234.5, "1,234", id="thousands"),
        pytest.param(12.345, "12.3", id="tens"),
        pytest.param(1.2345, "1.23", id="units"),
        pytest.param(0.012345, "0.012", id="small"),
    ],
)
def test_shows_two_or_three_digits(value, text):
    assert show(value) == text


def test_ratio_is_taken_round_by_round():
    # the second round met a machine half as fast: 10/2 and 20/4 are both 5
    assert ratio([10, 20], [2, 4]) == Spread(5, 5, 5)
    # 10/2 = 5, 20/2 = 10, 30/2 = 15: the middle one is 10
    assert times(ratio([10, 20, 30], [2, 2, 2])) == "10.0x (5.00x to 15.0x)"


def test_table_aligns_numbers_and_escapes_bars():
    assert write_table(("who", "ns"), [("a|b", "1")]) == "| who | ns |\n| --- | ---: |\n| a\\|b | 1 |\n"


def chart(*values: float) -> Chart:
    bars = tuple(Bar(f"<{place}>", Spread(value, value, value), place == 0) for place, value in enumerate(values))
    return Chart("c", "Adding & measuring", "ns", (("4 h", bars),))


def test_chart_is_logarithmic():
    drawn = ET.fromstring(draw_chart(chart(10, 100, 1000)))
    ours, *others = drawn.iter(f"{SVG}rect")
    widths = [float(bar.get("width", 0)) for bar in (ours, *others)]
    # the scale is 10 to 1000: the bars end at 0, one half and all of it
    assert widths[0] == pytest.approx(1)
    assert widths[1] * 2 == pytest.approx(widths[2], abs=0.2)
    assert [bar.get("class") for bar in (ours, *others)] == ["ours", "other", "other"]
    texts = [element.text for element in drawn.iter(f"{SVG}text")]
    assert {"Adding & measuring", "4 h", "<0>", "1,000"} <= set(texts)


@pytest.mark.parametrize("values", [pytest.param((), id="no bars"), pytest.param((1, 0), id="zero")])
def test_chart_refuses_what_has_no_logarithm(values):
    with pytest.raises(ValueError, match="above zero"):
        draw_chart(chart(*values))


def test_page_gets_what_a_part_found_and_keeps_the_rest(tmp_path):
    page = tmp_path / PAGE
    page.parent.mkdir(parents=True)
    page.write_text("# Title\n<!-- bench:p -->old<!-- end of bench:p -->\nwords\n")
    goal = Goal("G1", "fast", "12x", ">= 10x", is_met=True)
    report = Report("p", (goal,), (Table("T", ("who", "ns"), (("we", "1"),)),), (chart(1),))
    for _ in range(2):
        save_report(report, root=tmp_path, about="today, \\1.")
    text = page.read_text()
    assert text.startswith("# Title\n<!-- bench:p -->\ntoday, \\1.\n")
    assert text.endswith("![Adding & measuring](performance/c.svg)\n<!-- end of bench:p -->\nwords\n")
    assert "| G1 fast | 12x | >= 10x | yes |" in text
    assert "old" not in text
    assert {file.name for file in page.with_suffix("").iterdir()} == {"p.json", "c.svg"}


def test_page_without_a_place_is_refused():
    with pytest.raises(MarkMissing, match="bench:p"):
        replace_part("no marks", "p", "found")


def test_variants_take_turns():
    seen: list[str] = []
    variants = {name: Variant(lambda cases, name=name: seen.append(f"{name}{len(cases)}"), [0]) for name in ("a", "b")}
    taken = measure(variants, rounds=3, turn_ms=0)
    assert [len(turns) for turns in taken.values()] == [3, 3]
    assert [name[0] for name in seen[-6:]] == ["a", "b"] * 3
