"""Tasks that are ended are ended, also those that do not heed it at once."""

import asyncio

import pytest

from plazo.runtime.ending import end


class Deaf:
    """A loop that forgets the first times it is cancelled, as one over `asyncio.wait_for` may."""

    def __init__(self, *, times: int, raises: type[BaseException] = asyncio.CancelledError) -> None:
        self._times = times
        self._raises = raises

    async def run(self) -> None:
        """Wait until cancelled once more than `times`."""
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self._times == 0:
                    raise self._raises from None
                self._times -= 1


async def started(*loops: Deaf) -> list["asyncio.Task[None]"]:
    tasks = [asyncio.create_task(loop.run()) for loop in loops]
    await asyncio.sleep(0)
    return tasks


async def test_ends_those_that_forget_a_cancellation_or_fail_at_it():
    tasks = await started(Deaf(times=0), Deaf(times=2), Deaf(times=1, raises=LookupError))
    async with asyncio.timeout(10):
        await end(tasks)
    assert [task.cancelled() for task in tasks] == [True, True, False]


async def test_ends_them_although_it_is_cancelled_itself():
    tasks = await started(Deaf(times=2))
    ending = asyncio.create_task(end(tasks))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert tasks[0].cancelled()


async def test_nothing_to_end_is_no_error():
    await end(())
