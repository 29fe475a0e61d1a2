"""A desk's own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.templates import VARIABLES, OwnWords, RenderFailed, check_template, fill_words
from escalation.usecases.templates import SAMPLE


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("Ticket {{ number }}", id="a variable"),
        pytest.param("{% if severity == '1' and not team %}Urgente{% elif priority %}x{% else %}y{% endif %}", id="if"),
        pytest.param("{{ subject|upper }} {{ (reason or team)|default('-')|truncate(20) }}", id="filters"),
        pytest.param("{{ number ~ ' ' ~ subject }}", id="joined"),
        pytest.param("Sin nada", id="text"),
    ],
)
def test_takes_text_variables_conditions_and_a_few_filters(source: str) -> None:
    assert check_template(source, pointer="/body/es") == []


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        pytest.param("ok\n{{ nombre }}", 2, "unknown variable 'nombre'", id="unknown variable"),
        pytest.param("a\nb\n{{ number", 3, "unexpected end of template", id="not closed"),
        pytest.param("{{ number.__class__ }}", 1, "getattr: expected only", id="attribute"),
        pytest.param("{{ number['x'] }}", 1, "getitem: expected only", id="item"),
        pytest.param("{{ number() }}", 1, "call: expected only", id="call"),
        pytest.param("{% for x in subject %}{{ x }}{% endfor %}", 1, "for: expected only", id="loop"),
        pytest.param("{{ 'a' * 9 }}", 1, "mul: expected only", id="multiplied"),
        pytest.param("{{ 9 ** 9 }}", 1, "pow: expected only", id="power"),
        pytest.param("{% include 'x' %}", 1, "include: expected only", id="include"),
        pytest.param("{% set x = 1 %}", 1, "assign: expected only", id="assignment"),
        pytest.param("{{ number|attr('x') }}", 1, "unknown filter 'attr'", id="unknown filter"),
        pytest.param("{{ '%s' % number }}", 1, "mod: expected only", id="format"),
        pytest.param("{{ range(9) }}", 1, "call: expected only", id="range"),
    ],
)
def test_refuses_all_else_with_its_line(source: str, line: int, message: str) -> None:
    faults = check_template(source, pointer="/body/es")

    assert (faults[0].pointer, faults[0].line) == ("/body/es", line)
    assert any(fault.message.startswith(message) for fault in faults)


def test_all_faults_come_at_once() -> None:
    faults = check_template("{{ one }}\n{{ two }}\n{{ number|three }}", pointer="")

    assert [fault.line for fault in faults] == [1, 2, 3]


def test_a_template_too_deep_is_a_fault() -> None:
    assert check_template("{{ " + "(" * 5000 + "number" + ")" * 5000 + " }}", pointer="") != []


class TestFillWords:
    """What comes out."""

    def test_escapes_in_markup_only(self) -> None:
        own = OwnWords(subject="{{ number }}", body="{{ subject }}", html="<b>{{ subject }}</b>")

        words, markup = fill_words(own, {"number": "IRE-7", "subject": "<script>&"})

        assert words.body == "<script>&"
        assert markup == "<b>&lt;script&gt;&amp;</b>"

    def test_a_value_is_never_read_as_a_template(self) -> None:
        words, _ = fill_words(OwnWords("s", "{{ subject }}"), {"subject": "{{ number }}", "number": "7"})

        assert words.body == "{{ number }}"

    def test_shows_a_dash_for_what_is_not_known_and_keeps_a_subject_on_one_line(self) -> None:
        words, _ = fill_words(
            OwnWords("{{ subject }} {{ team }}", "{{ due_at }}"), {"subject": "a\r\nBcc: x@example.com"}
        )

        assert words.subject == "a Bcc: x@example.com —"
        assert words.body == "—"

    def test_what_grows_beyond_bounds_fails(self) -> None:
        with pytest.raises(RenderFailed, match="longer than 200,000"):
            fill_words(OwnWords("s", "{{ description }}" * 50), {"description": "x" * 10_000})

    @given(values=st.dictionaries(st.sampled_from(sorted(VARIABLES)), st.text(max_size=100)))
    def test_fills_any_values(self, values: dict[str, str]) -> None:
        own = OwnWords("{{ number }} {{ subject|upper }}", "{% if reason %}{{ reason }}{% endif %}", "{{ team }}")

        words, markup = fill_words(own, values)

        assert "\n" not in words.subject
        assert markup is not None
        assert "<" not in markup


def test_a_sample_has_a_value_for_every_variable() -> None:
    assert SAMPLE.keys() == VARIABLES
