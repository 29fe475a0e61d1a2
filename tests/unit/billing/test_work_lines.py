"""Work that somebody else wrote down."""

import pytest

from billing.domain.work_lines import read_lines


def read(content, form):
    return [(line.number, line.reference, line.fault or line.values) for line in read_lines(content, form)]


def test_csv_has_facts_in_its_other_columns():
    content = (
        "\ufeffreference,ticket,started_at,minutes,description,location,urgent\r\n"
        'A-1,T-1,2026-05-04T10:00:00Z,45,"red, y ""más""",on_site,true\r\n'
        "\r\n"
        "A-2,T-1,,soon,,,\r\n"
        "A-3,T-1\r\n"
    )
    assert read(content, "csv") == [
        (
            2,
            "A-1",
            {
                "reference": "A-1",
                "ticket": "T-1",
                "started_at": "2026-05-04T10:00:00Z",
                "minutes": 45,
                "description": 'red, y "más"',
                "facts": {"location": "on_site", "urgent": True},
            },
        ),
        (4, "A-2", {"reference": "A-2", "ticket": "T-1", "minutes": "soon", "facts": {}}),
        (5, None, "expected 7 values as in the header, got 2"),
    ]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param('{"reference": "A-1"}\n\n{"reference": 7}', [(1, "A-1"), (3, None)], id="objects"),
        pytest.param("[1]", [(1, "expected a JSON object")], id="no object"),
        pytest.param('{"reference"', [(1, "expected a JSON object")], id="broken"),
        pytest.param("[" * 100_000, [(1, "expected a JSON object")], id="too deep"),
        pytest.param(" \n", [], id="nothing"),
    ],
)
def test_json_lines(content, lines):
    assert [(line.number, line.fault or line.reference) for line in read_lines(content, "jsonl")] == lines
