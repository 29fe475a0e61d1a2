"""Tables of handlers, put together."""

import pytest

from plazo.events.tickets import DeskCreated, KeyIssued
from plazo.runtime.consumer import Received, merge_handlers
from plazo.runtime.unit_of_work import UnitOfWork


async def on_one(uow: UnitOfWork, received: Received[DeskCreated]) -> None:
    """Handle it."""


async def on_other(uow: UnitOfWork, received: Received[KeyIssued]) -> None:
    """Handle it."""


def test_merges_by_producer():
    merged = merge_handlers({"tickets": {DeskCreated: on_one}}, {"tickets": {KeyIssued: on_other}, "billing": {}})
    assert merged == {"tickets": {DeskCreated: on_one, KeyIssued: on_other}, "billing": {}}


def test_leaves_the_tables_as_they_were():
    first = {"tickets": {DeskCreated: on_one}}
    merge_handlers(first, {"tickets": {KeyIssued: on_other}})
    assert first == {"tickets": {DeskCreated: on_one}}


def test_refuses_two_handlers_of_one_event():
    with pytest.raises(ValueError, match="handled twice: DeskCreated"):
        merge_handlers({"tickets": {DeskCreated: on_one}}, {"tickets": {DeskCreated: on_other}})
