"""TLS towards the servers: who asks for it gets it from the one that was meant, or no connection."""

import asyncio
import json
import ssl
import struct
from contextlib import asynccontextmanager, suppress

import pytest
from certificates import Authority
from harness import OPERATOR_KEY, eventually
from pydantic import ValidationError
from structlog.testing import capture_logs

from plazo.local import nats
from plazo.local.nats import Nats
from plazo.runtime import migrations
from plazo.runtime.bus import Bus
from plazo.runtime.database import Database
from plazo.runtime.settings import Settings

TLS_CONFIGURATION = nats.CONFIGURATION.with_name("nats-tls.conf")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "authority")


def settings(**given):
    needed = {"database_url": "postgresql://a", "system_database_url": "postgresql://b", "nats_url": "nats://c"}
    return Settings(**needed | {"operator_key": OPERATOR_KEY} | given)


@pytest.fixture(scope="module")
async def server(authority, tmp_path_factory):
    """NATS over TLS alone, which asks clients for certificates too."""
    chain, key = authority.issue("nats", "127.0.0.1")
    server = Nats(tmp_path_factory.mktemp("nats"))
    server.command[-1] = TLS_CONFIGURATION
    server.environment |= {
        "PLAZO_NATS_TLS_CERTIFICATE": json.dumps(str(chain)),
        "PLAZO_NATS_TLS_CERTIFICATE_KEY": json.dumps(str(key)),
        "PLAZO_NATS_TLS_CLIENT_CA": json.dumps(str(authority.file)),
        "PLAZO_NATS_TLS_VERIFY": "true",
    }
    await server.start()
    yield server
    await server.stop()


class TestNats:
    def given(self, server, authority, *, host="127.0.0.1", scheme="tls", certificate=True, **given):
        """The settings of one who does everything right, but for what is given."""
        chain, key = authority.issue("client")
        ours = {"nats_certificate": str(chain), "nats_certificate_key": str(key)} if certificate else {}
        url = server.url_of("tickets").replace("nats://", f"{scheme}://").replace("127.0.0.1", host)
        return settings(nats_url=url, **{"nats_ca": str(authority.file)} | ours | given)

    async def outcome(self, told):
        """Try to connect; return that we are, or what is in the way, as the log says it."""
        bus = Bus(told.nats_url.get_secret_value(), name="tickets", tls=told.nats_tls())
        with capture_logs() as logs:
            attempt = asyncio.create_task(bus.connect())

            async def end():
                return bus.is_connected or [one["error"] for one in logs if one["event"] == "bus_error"]

            try:
                found = await eventually(end)
                if found is True:
                    await bus.ensure_stream("tickets")
            finally:
                attempt.cancel()
                with suppress(asyncio.CancelledError):
                    await attempt
                await bus.close()
        password = told.nats_url.get_secret_value().split(":")[2].split("@")[0]
        assert password not in str(logs)
        return "connected" if found is True else found[0]

    async def test_the_right_authority_connects(self, server, authority):
        assert await self.outcome(self.given(server, authority)) == "connected"

    async def test_another_authority_is_refused(self, server, authority, stranger):
        told = self.given(server, authority, nats_ca=str(stranger.file))
        assert "certificate verify failed" in await self.outcome(told)

    async def test_another_name_is_refused(self, server, authority):
        said = await self.outcome(self.given(server, authority, host="localhost"))
        assert "Hostname mismatch, certificate is not valid for 'localhost'" in said

    async def test_the_system_s_authorities_do_not_know_it(self, server, authority):
        assert "certificate verify failed" in await self.outcome(self.given(server, authority, nats_ca=None))

    async def test_a_client_without_a_certificate_is_refused(self, server, authority):
        assert await self.outcome(self.given(server, authority, certificate=False)) != "connected"

    async def test_plain_is_refused_by_us_where_the_server_wants_tls(self, server):
        told = settings(nats_url=server.url_of("tickets"))
        assert "must begin with tls://" in await self.outcome(told)

    async def test_a_server_without_tls_is_told_no_password(self, authority):
        """As one in the middle would do: greet as NATS does, without TLS, and see what comes."""
        heard = bytearray()

        async def pretend(reader, writer):
            writer.write(b'INFO {"server_id": "x", "version": "2.15.1", "max_payload": 1048576}\r\n')
            heard.extend(await reader.read(65536))
            writer.close()

        async with await asyncio.start_server(pretend, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            told = settings(nats_url=f"tls://tickets:psecret@127.0.0.1:{port}", nats_ca=str(authority.file))
            assert "does not insist on TLS" in await self.outcome(told)
        assert heard == b""


@asynccontextmanager
async def postgres_over_tls(house, files):
    """Stand before the house's PostgreSQL, whose wheel is built without TLS, and speak it for it; yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)

    async def pass_on(reader, writer):
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof() if writer.can_write_eof() else writer.close()

    async def serve(reader, writer):
        assert await reader.readexactly(8) == struct.pack("!ii", 8, 80877103)  # SSLRequest, and nothing before it
        writer.write(b"S")
        with suppress(OSError):  # the other side does not like our certificate
            await writer.start_tls(context)
            there, back = await asyncio.open_connection("127.0.0.1", house.postgres.port)
            await asyncio.gather(pass_on(reader, back), pass_on(there, writer))
            back.close()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


class TestPostgres:
    def told(self, house, authority, *, port):
        known = house.settings["tickets"]
        query = f"?sslmode=verify-full&sslrootcert={authority.file}"
        urls = {
            name: self.at(getattr(known, name).get_secret_value(), house, port) + query
            for name in ("database_url", "system_database_url")
        }
        return settings(**urls, database_connections=2)

    def at(self, url, house, port):
        return url.replace(f":{house.postgres.port}/", f":{port}/")

    async def test_the_right_authority_connects_and_another_does_not(self, house, authority, stranger):
        async with postgres_over_tls(house, authority.issue("postgres", "127.0.0.1")) as port:
            async with Database.connect(self.told(house, authority, port=port)) as database:
                assert await database.desk.fetchval("SELECT current_user") == "tickets"
                assert await database.system.fetchval("SELECT current_user") == "tickets_system"
            with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
                async with Database.connect(self.told(house, stranger, port=port)):
                    pass

    async def test_another_name_is_refused(self, house, authority):
        async with postgres_over_tls(house, authority.issue("elsewhere", "db.example.com")) as port:
            with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
                async with Database.connect(self.told(house, authority, port=port)):
                    pass

    async def test_a_migration_asks_as_a_service_does(self, house, authority, stranger):
        owner = house.postgres.describe_database("tickets").owner
        async with postgres_over_tls(house, authority.issue("postgres", "127.0.0.1")) as port:
            url = f"{self.at(owner, house, port)}?sslmode=verify-full&sslrootcert="
            await migrations.upgrade("tickets", dsn=f"{url}{authority.file}")
            with pytest.raises(ssl.SSLCertVerificationError):
                await migrations.upgrade("tickets", dsn=f"{url}{stranger.file}")

    async def test_a_server_without_tls_is_refused(self, house, authority):
        with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
            async with Database.connect(self.told(house, authority, port=house.postgres.port)):
                pass
        owner = house.postgres.describe_database("tickets").owner
        with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
            await migrations.upgrade("tickets", dsn=f"{owner}?sslmode=verify-full&sslrootcert={authority.file}")


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "named", "said"),
        [
            pytest.param(
                {"database_url": "postgresql://u:unrepeated@h/d?sslmode=prefer"},
                "database_url",
                "expected sslmode=verify-full",
                id="a mode that falls back",
            ),
            pytest.param(
                {"system_database_url": "postgresql://u:unrepeated@h/d?sslrootcert=/dev/null"},
                "system_database_url",
                "expected sslmode=verify-full",
                id="an authority without a mode",
            ),
            pytest.param(
                {"database_url": "postgresql://u:unrepeated@h/d?sslmode=verify-full&sslrootcert=/no/ca.pem"},
                "database_url",
                "/no/ca.pem cannot be read: No such file",
                id="an authority that is not there",
            ),
            pytest.param(
                {"nats_ca": "/dev/null"}, "nats_ca", "expected PLAZO_NATS_URL to begin with tls://", id="plain"
            ),
            pytest.param(
                {"nats_url": "tls://u:unrepeated@h", "nats_ca": "/no/ca.pem"},
                "nats_certificate_key",
                "/no/ca.pem cannot be read: No such file",
                id="NATS's authority is not there",
            ),
            pytest.param(
                {"nats_url": "tls://u:unrepeated@h", "nats_ca": "/dev/null"},
                "nats_certificate_key",
                "expected certificates in PEM: /dev/null",
                id="NATS's authority is none",
            ),
            pytest.param(
                {"nats_url": "tls://u:unrepeated@h", "nats_certificate_key": "/dev/null"},
                "nats_certificate_key",
                "expected PLAZO_NATS_CERTIFICATE too",
                id="a key without its certificate",
            ),
            pytest.param(
                {"nats_url": "ws://u:unrepeated@h"}, "nats_url", "expected nats://user:password@host", id="no NATS"
            ),
        ],
    )
    def test_what_would_not_hold_is_named(self, given, named, said):
        with pytest.raises(ValidationError) as caught:
            settings(**given)
        [fault] = caught.value.errors()
        assert fault["loc"] == (named,)
        assert said in fault["msg"]
        assert "unrepeated" not in str(caught.value)

    def test_a_key_that_does_not_belong_to_its_certificate_is_named(self, authority):
        chain, _ = authority.issue("ours")
        _, key = authority.issue("other")
        with pytest.raises(ValidationError, match="the key that belongs to it"):
            settings(nats_url="tls://u:p@h", nats_certificate=str(chain), nats_certificate_key=str(key))
