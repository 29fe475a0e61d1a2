"""Load a policy document from YAML: either a sound policy, or all of its faults with their lines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from plazo.kernel.errors import Fault, InvalidInput
from plazo.policy.document import Policy
from plazo.policy.read_yaml import Parsed, pointer_to, read_yaml
from plazo.policy.references import check_references
from plazo.policy.schema import expected_fields


class PolicyInvalid(InvalidInput):
    """The policy document has faults; all of them are listed, in the order of the file."""

    code = "policy-invalid"


def load_policy(text: str, *, source: str = "policy.yaml") -> Policy:
    """Read a policy document from YAML; `source` names the file in the message.

    :raises PolicyInvalid: with every fault of the text, the schema and the references, each with line and pointer
    """
    return load_with_lines(text, source=source)[0]


def load_with_lines(text: str, *, source: str = "policy.yaml") -> tuple[Policy, Parsed]:
    """Read a policy document, and where in the text its parts stand. :raises PolicyInvalid: as :func:`load_policy`"""
    parsed = read_yaml(text)
    if not isinstance(parsed.data, dict) and not parsed.faults:
        parsed.faults.append(Fault("", "expected a policy document: a mapping with policy, version, calendars, …", 1))
    policy, faults = parse_policy(parsed.data) if isinstance(parsed.data, dict) else (None, [])
    faults = [*parsed.faults, *_with_lines(faults, parsed)]
    if policy is None or faults:
        raise _invalid(sorted(faults, key=lambda fault: fault.line or 0), source)
    return policy, parsed


def policy_from_json(document: Mapping[str, Any], *, source: str = "policy") -> Policy:
    """Read a policy document from plain JSON data, as it travels between services.

    :raises PolicyInvalid: with every fault of the schema and the references, each with its pointer
    """
    policy, faults = parse_policy(document)
    if policy is None or faults:
        raise _invalid(faults, source)
    return policy


def parse_policy(document: Mapping[str, Any]) -> tuple[Policy | None, list[Fault]]:
    """Validate plain JSON data: the policy where the schema holds, and all the faults."""
    policy = None
    faults: list[Fault] = []
    try:
        policy = Policy.model_validate(document)
    except ValidationError as invalid:
        faults = _schema_faults(document, invalid)
    refused = {fault.pointer for fault in faults}
    # A value that the schema refuses is reported once.
    return policy, faults + [fault for fault in check_references(document) if fault.pointer not in refused]


def _schema_faults(document: Mapping[str, Any], invalid: ValidationError) -> list[Fault]:
    """Merge pydantic's errors into one fault for each place: a union reports every alternative apart."""
    messages: dict[str, list[str]] = {}
    for error in invalid.errors(include_url=False, include_context=False):
        pointer = _pointer(document, error["loc"], is_missing=error["type"] == "missing")
        message = _message(error["type"], error["msg"], error["loc"])
        if message not in messages.setdefault(pointer, []):
            messages[pointer].append(message)
    # Where the parts of a value were looked into, what the union says of the whole is the other alternative's.
    inner = {pointer for one in messages for pointer in _parents(one)}
    return [Fault(pointer, "; or ".join(said)) for pointer, said in messages.items() if pointer not in inner]


def _parents(pointer: str) -> Iterator[str]:
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


def _pointer(document: Any, location: Sequence[str | int], *, is_missing: bool) -> str:
    """Follow pydantic's location into the document, passing over the names it gives to alternatives of a union."""
    pointer, here = "", document
    for index, part in enumerate(location):
        is_inside = part in here if isinstance(here, Mapping) else isinstance(here, list) and isinstance(part, int)
        if is_inside:
            here = here[part]
        elif not is_missing or index < len(location) - 1:
            continue
        pointer = pointer_to(pointer, part)
    return pointer


def _message(kind: str, said: str, location: Sequence[str | int]) -> str:
    match kind:
        case "missing":
            return f"{location[-1]} is missing; expected a value"
        case "extra_forbidden":
            return f"unknown field {location[-1]!r}; expected {expected_fields(location[:-1])}"
        case "date_parsing" | "date_from_datetime_parsing":
            return "expected a date that exists, such as 2026-01-31"
        case "value_error":
            return said.removeprefix("Value error, ")
        case _:
            return said.replace("Input should be", "expected").replace("String should", "expected it to")


def _with_lines(faults: Iterable[Fault], parsed: Parsed) -> list[Fault]:
    return [Fault(one.pointer, one.message, parsed.line_of(one.pointer), one.clause) for one in faults]


def _invalid(faults: Sequence[Fault], source: str) -> PolicyInvalid:
    first = faults[0]
    where = f"{source}, line {first.line}" if first.line else source
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return PolicyInvalid(f"{where}: {first.pointer or 'document'}: {first.message}{more}", faults=faults)
