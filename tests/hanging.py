"""What a test that hangs waits for, said before pytest-timeout ends its worker: what that says is lost with it."""

import asyncio
import faulthandler
import gc
import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def real_stderr() -> int:
    """Return a descriptor of standard error that is ours; while pytest captures, 2 is another file."""
    return os.dup(2)


@contextmanager
def told_after(seconds: float, *, what: str, to: int) -> Iterator[None]:
    """Tell the descriptor `to` where every thread and task of this process stands, if the block takes `seconds`."""
    timer = threading.Timer(seconds, _tell, (what, to))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(what: str, to: int) -> None:
    said = io.StringIO()
    said.write(f"\nhangs: {what}\n")
    for task in [one for one in gc.get_objects() if isinstance(one, asyncio.Task)]:
        if not task.done():
            task.print_stack(file=said)
    os.write(to, said.getvalue().encode())
    faulthandler.dump_traceback(file=to)
