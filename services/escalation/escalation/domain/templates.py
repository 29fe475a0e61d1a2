"""A desk's own words for a message, in Jinja2.

Only text, variables, `if` and a few filters are allowed: no loops, no attributes, no calls. So a template cannot reach
anything but the plain values it is given, and its work is bounded by its own length.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import SandboxedEnvironment

from escalation.domain.messages import Words, clean_line, clean_text
from plazo.kernel.errors import Fault
from plazo.policy.handling import PLACEHOLDERS

#: What a template may fill in beside the placeholders of policies.
VARIABLES = PLACEHOLDERS | {"customer", "contact", "role"}

LONGEST_RESULT = 200_000
DEEPEST = 30  # beyond, compiling takes seconds, and then fails

_FILTERS = frozenset({"upper", "lower", "capitalize", "title", "trim", "truncate", "default", "e", "escape"})
_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Concat,
    nodes.Filter,
    nodes.Keyword,
)


_TOO_DEEP = f"nested too deeply; expected at most {DEEPEST} levels of conditions, operators and filters"


class RenderFailed(Exception):
    """A template that was sound when published could not be filled in now."""


@dataclass(frozen=True, slots=True)
class OwnWords:
    """A desk's words in one language; `html` is made from the body where it is not given."""

    subject: str
    body: str
    html: str | None = None


def _environment(*, autoescape: bool) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(autoescape=autoescape, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


_TEXT = _environment(autoescape=False)
_HTML = _environment(autoescape=True)


def check_template(source: str, *, pointer: str) -> list[Fault]:
    """List what is wrong with a template, each with its line in it."""
    try:
        tree = _TEXT.parse(source)
    except TemplateSyntaxError as error:
        return [Fault(pointer, error.message or "not a template", line=error.lineno)]
    except RecursionError:
        return [Fault(pointer, _TOO_DEEP)]
    except ValueError as error:  # a number of thousands of digits
        return [Fault(pointer, f"not a template: {error}")]
    return [Fault(pointer, message, line=line) for line, message in _faults(tree)]


def _faults(node: nodes.Node, levels: int = DEEPEST) -> Iterator[tuple[int, str]]:
    if levels == 0:
        yield node.lineno, _TOO_DEEP
        return
    for child in node.iter_child_nodes():
        if not isinstance(child, _NODES):
            word = type(child).__name__.lower()
            yield child.lineno, f"{word}: expected only text, {{{{ variables }}}}, if and filters"
            continue
        if isinstance(child, nodes.Name) and child.name not in VARIABLES:
            yield child.lineno, f"unknown variable {child.name!r}; expected one of {', '.join(sorted(VARIABLES))}"
        if isinstance(child, nodes.Filter) and child.name not in _FILTERS:
            yield child.lineno, f"unknown filter {child.name!r}; expected one of {', '.join(sorted(_FILTERS))}"
        yield from _faults(child, levels - 1)


def fill_words(words: OwnWords, values: Mapping[str, str]) -> tuple[Words, str | None]:
    """Fill a desk's words in; a value that is not known shows as a dash. Returns the words, and markup if given.

    :raises RenderFailed: saying why, if that does not work
    """
    known = {name: values.get(name) or "—" for name in VARIABLES}
    subject = clean_line(_fill(words.subject, known, autoescape=False))
    body = clean_text(_fill(words.body, known, autoescape=False))
    markup = None if words.html is None else _fill(words.html, known, autoescape=True)
    return Words(subject=subject, body=body), markup


def _fill(source: str, values: Mapping[str, str], *, autoescape: bool) -> str:
    parts, length = [], 0
    try:
        for part in _compiled(source, autoescape).generate(values):
            length += len(part)
            if length > LONGEST_RESULT:
                raise RenderFailed(f"the result is longer than {LONGEST_RESULT:,} characters")
            parts.append(part)
    except (TemplateError, TypeError, ValueError, ArithmeticError, SyntaxError, RecursionError) as error:
        raise RenderFailed(str(error) or type(error).__name__) from error
    return "".join(parts)


@lru_cache(maxsize=256)
def _compiled(source: str, autoescape: bool) -> Template:  # noqa: FBT001  # a key of the cache
    return (_HTML if autoescape else _TEXT).from_string(source)
