"""An OpenID Connect provider on this machine, and the tokens it gives out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwk, jwt

from plazo.runtime.oidc import AccessTokens, ProviderKeys, TokenRules

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)
DESK = "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01"
AUDIENCE = "https://plazo.example.com"


def fresh_key(kid: str | None, kind: str = "RSA") -> Any:
    parameters = {"kid": kid} if kid else {}
    if kind == "RSA":
        return jwk.RSAKey.generate_key(2048, parameters)
    if kind == "EC":
        return jwk.ECKey.generate_key("P-256", parameters)
    return jwk.OKPKey.generate_key("Ed25519", parameters)


RSA = fresh_key("rsa")
EC = fresh_key("ec", "EC")
OKP = fresh_key("okp", "OKP")
STRANGER = fresh_key("rsa")


@dataclass
class Provider:
    """A provider on this machine: what it publishes, how often it was asked, and the time as its readers know it."""

    issuer: str = ""
    keys: list[Any] = field(default_factory=lambda: [RSA, EC, OKP])
    body: bytes | None = None
    status: str = "200 OK"
    asked: list[str] = field(default_factory=list)
    seconds: float = 0.0
    now: datetime = NOW

    def rules(self, **change: Any) -> TokenRules:
        return TokenRules(**({"issuer": self.issuer, "audience": AUDIENCE, "jwks_url": None} | change))

    def tokens(self, **change: Any) -> AccessTokens:
        rules = self.rules(**change)
        return AccessTokens(rules, keys=ProviderKeys(rules, seconds=lambda: self.seconds))

    def token(self, key: Any = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **claims: Any) -> str:
        said = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ana",
            "exp": int((self.now + timedelta(minutes=5)).timestamp()),
            "plazo_desk": DESK,
            "plazo_role": "agent",
        } | claims
        said = {name: value for name, value in said.items() if value is not None}
        headers = {"alg": alg, "kid": key.kid} | (header or {})
        return jwt.encode(
            {name: value for name, value in headers.items() if value is not None}, said, key, algorithms=[alg]
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        self.asked.append(path)
        body = self.body
        if body is None and path.endswith("openid-configuration"):
            body = json.dumps({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}).encode()
        elif body is None:
            body = json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()
        writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """Run a provider for the time of the block."""
    one = Provider()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield one
