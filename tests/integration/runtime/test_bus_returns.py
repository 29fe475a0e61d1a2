"""A lost bus is found again, whatever happens on the way."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from faults.proxy import Link, Mode
from harness import House, eventually
from nats.aio.client import Client

from plazo.runtime.bus import Bus, BusDown


@pytest.fixture
async def link(house: House) -> Any:
    """A link to NATS of its own."""
    link = Link("a bus", "nats", port=house.nats.port)
    yield link
    await link.close()


def through(link: Link, house: House) -> Bus:
    address = urlsplit(house.settings["tickets"].nats_url.get_secret_value())
    return Bus(
        address._replace(netloc=address.netloc.replace(f":{house.nats.port}", f":{link.port}")).geturl(), name="tickets"
    )


# With uvloop a write to a connection that has just closed is a RuntimeError; half an INFO is a ValueError.
@pytest.mark.parametrize("error", [RuntimeError("the handler is closed"), ValueError("Expecting value: line 1")])
async def test_an_error_the_library_does_not_know_ends_nothing(
    house: House, link: Link, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    bus = through(link, house)
    await bus.connect()
    greet, failed = Client._process_connect_init, []

    async def fail_twice(client: Client) -> None:
        if len(failed) < 2:
            failed.append(client)
            raise error
        await greet(client)

    monkeypatch.setattr(Client, "_process_connect_init", fail_twice)
    link.become(Mode.CUT)
    link.heal()

    async def found_again() -> bool:
        return len(failed) == 2 and bus.is_connected

    await eventually(found_again)
    assert await bus.ensure_stream("tickets") >= 0
    await bus.close()


async def test_a_first_connection_that_breaks_means_the_bus_is_down(
    house: House, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_off(_client: Client) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    monkeypatch.setattr(Client, "_process_connect_init", break_off)
    with pytest.raises(BusDown, match="closed"):
        await through(link, house).connect()


async def test_connecting_once_more_leaves_no_connection_behind(house: House, link: Link) -> None:
    """NATS may be there before its JetStream is: the service then tries again from the beginning."""
    bus = through(link, house)
    await bus.connect()
    first = bus._client
    await bus.connect()
    assert first.is_closed
    assert bus.is_connected
    await bus.close()
