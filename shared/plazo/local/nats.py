"""NATS with JetStream from its wheel, on a folder of ours.

`nats.conf` gives each service a user that may do what the service does, and nothing else; :meth:`Nats.url_of` is how
that service reaches it. The user `operator` may do everything (:attr:`Nats.url`): for repair and tests.
"""

import asyncio
import json
from contextlib import suppress
from pathlib import Path

from plazo.events.envelope import SERVICES
from plazo.local.credentials import Credentials
from plazo.local.ports import choose_port
from plazo.local.process import Process
from plazo.local.wheels import find_program

CONFIGURATION = Path(__file__).with_name("nats.conf")

_USERS = ("operator", *SERVICES)


class Nats(Process):
    """A server on 127.0.0.1 whose streams are in `data/nats`."""

    def __init__(self, data: Path, *, port: int = 0, sync: str = "1s") -> None:
        """Describe the server of the folder `data`. Port 0 chooses a free one; `sync` is JetStream's sync interval.

        :raises LocalStackError: if the wheel is missing
        """
        data = data.resolve()
        data.mkdir(parents=True, exist_ok=True)
        self.port = port or choose_port()
        credentials = Credentials(data)
        self._passwords = {user: credentials.get(f"nats_{user}") for user in _USERS}
        super().__init__(
            "nats",
            command=[find_program("nats-server"), "-c", CONFIGURATION],
            log=data / "logs" / "nats.log",
            environment={
                "PLAZO_NATS_HOST": "127.0.0.1",
                "PLAZO_NATS_PORT": str(self.port),
                "PLAZO_NATS_STORE": json.dumps(str(data / "nats")),  # NATS reads the value as it reads its file
                "PLAZO_NATS_SYNC": sync,
                **{f"PLAZO_NATS_{user.upper()}_PASSWORD": password for user, password in self._passwords.items()},
            },
        )

    @property
    def url(self) -> str:
        """The address with the operator's user and password."""
        return self.url_of("operator")

    def url_of(self, user: str) -> str:
        """Return the address with user and password of a service (`sla_clock`), or of the `operator`."""
        return f"nats://{user}:{self._passwords[user]}@127.0.0.1:{self.port}"

    async def is_ready(self) -> bool:
        """Tell whether the server greets and its JetStream is up."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            greeting = await asyncio.wait_for(reader.readline(), 2)
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        return greeting.startswith(b"INFO ") and json.loads(greeting[5:]).get("jetstream", False) is True
