"""A bell: something to do has come; and how long to sleep if it does not ring."""

import asyncio


class Wake:
    """Wakes a loop that sleeps. Ringing it many times before it is heard is ringing it once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._others: list[Wake] = []

    def also(self) -> "Wake":
        """Return another bell that rings whenever this one does, for another loop."""
        other = Wake()
        self._others.append(other)
        return other

    def set(self) -> None:
        """Ring."""
        self._event.set()
        for other in self._others:
            other.set()

    async def wait(self, *, at_most: float) -> None:
        """Sleep until rung, `at_most` seconds."""
        try:
            async with asyncio.timeout(at_most):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()
