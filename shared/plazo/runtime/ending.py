"""Ending tasks for good."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 0.2


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel `tasks` until all have ended, also where whoever ends them is cancelled meanwhile; no error is raised.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, by which the NATS client waits, forgets a cancellation
    that comes together with what it waits for, and a loop over it goes on.
    """
    ending = set(tasks)
    cancelled = False
    while left := {task for task in ending if not task.done()}:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
    for task in ending:
        if not task.cancelled():
            task.exception()  # it is nobody's any more
    if cancelled:
        raise asyncio.CancelledError
