"""Query parameters: one that a route does not know, or that is given twice, is a fault and is not passed over.

A filter with a typo would otherwise answer with everything.
"""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError

_NUL = "must not contain the character U+0000"


def check_query(request: Request) -> None:
    """Refuse unknown and repeated query parameters, and the character that no database keeps, in the path as well.

    :raises RequestValidationError: with these, and with all else that is wrong with path and query
    """
    given = request.query_params
    faults = [_fault(name[:100], _NUL) for name, value in given.multi_items() if "\x00" in value]
    faults += [_fault(name, _NUL, where="path") for name, value in request.path_params.items() if "\x00" in str(value)]
    if not given and not faults:
        return
    dependants = list(dependants_of(request.scope["route"].dependant))
    fields = {field.alias: field for one in dependants for field in one.query_params}
    known = ", ".join(sorted(fields)) or "none"
    for name in given:
        if name not in fields:
            faults.append(_fault(name[:100], f"unknown parameter; known here: {known}"))
        elif len(given.getlist(name)) > 1 and not _takes_several(fields[name].field_info.annotation):
            faults.append(_fault(name, "given more than once, expected once"))
    if faults:
        for one in dependants:
            faults += request_params_to_args(one.path_params, request.path_params)[1]
            faults += request_params_to_args(one.query_params, given)[1]
        raise RequestValidationError(faults)


def dependants_of(dependant: Dependant) -> Iterator[Dependant]:
    """Return what a route takes, and what its dependencies take in turn."""
    yield dependant
    for one in dependant.dependencies:
        yield from dependants_of(one)


def _takes_several(annotation: Any) -> bool:
    return list in (get_origin(one) for one in (annotation, *get_args(annotation)))


def _fault(name: str, message: str, *, where: str = "query") -> dict[str, Any]:
    return {"type": "unexpected_parameter", "loc": (where, name), "msg": message, "input": None}
