"""Many events at once: customers registered in a desk of its own, and whether each is there once."""

import asyncio
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import httpx

_LANES = 6
_UNDECIDED = (429, 500, 502, 503, 504)
_LONGEST_SECONDS = 240.0


class Flood:
    """A sandbox desk that gets customers by the hundred."""

    def __init__(self, address: str, operator_key: str, *, seed: int, at_once: int) -> None:
        self._address, self._operator_key = address, operator_key
        self._seed, self._at_once = seed, at_once
        self._desk: UUID | None = None
        self._token = operator_key
        self._poured = 0
        self.repeated = 0
        self.registered: set[UUID] = set()

    async def prepare(self) -> None:
        """Make the desk."""
        async with self._client() as client:
            body = {"name": "flood", "sandbox": True, "clock_at": "2026-05-04T13:00:00Z"}
            made = await self._until_answered(client, "/v1/desks", body, key=str(uuid5(NAMESPACE_URL, f"{self._seed}")))
        self._desk, self._token = UUID(made["desk_id"]), made["api_key"]

    async def pour(self) -> None:
        """Register the next few hundred customers."""
        first, self._poured = self._poured, self._poured + self._at_once
        numbers = iter(range(first, self._poured))

        async def lane() -> None:
            async with self._client() as client:
                for number in numbers:
                    body = {"name": f"Cliente {number}", "email": f"cliente{number}@example.com"}
                    made = await self._until_answered(client, "/v1/customers", body, key=f"customer {number}")
                    self.registered.add(UUID(made["customer_id"]))

        await asyncio.gather(*(lane() for _ in range(_LANES)))

    async def differences(self, databases: dict[str, str]) -> list[str]:
        """Say which customers are lost, and which there are without having been accepted."""
        connection = await asyncpg.connect(databases["tickets"])
        try:
            rows = await connection.fetch("SELECT customer_id FROM customer WHERE desk_id = $1", self._desk)
        finally:
            await connection.close()
        there = {row["customer_id"] for row in rows}
        lost, unasked = self.registered - there, there - self.registered
        expected = [] if len(self.registered) == self._poured else [f"{self._poured} customers got one id twice"]
        return [
            *expected,
            *(f"flood: customer {one} was accepted and is lost" for one in sorted(lost)),
            *(f"flood: customer {one} is there twice, or unasked" for one in sorted(unasked)),
        ]

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._address, headers={"Authorization": f"Bearer {self._token}"}, timeout=httpx.Timeout(30)
        )

    async def _until_answered(
        self, client: httpx.AsyncClient, path: str, body: dict[str, object], *, key: str
    ) -> dict[str, str]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LONGEST_SECONDS
        while True:
            try:
                response = await client.post(path, json=body, headers={"Idempotency-Key": key})
            except (httpx.TransportError, AttributeError):  # the latter of anyio, for a socket that is gone
                pass
            else:
                if response.status_code not in _UNDECIDED:
                    assert response.is_success, f"{path} {body}\n{response.status_code} {response.text}"
                    made: dict[str, str] = response.json()
                    return made
            assert loop.time() < deadline, f"POST {path} was not answered in {_LONGEST_SECONDS:g} s"
            self.repeated += 1
            await asyncio.sleep(0.2)
