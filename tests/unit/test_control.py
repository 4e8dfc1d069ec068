# SPDX-License-Identifier: Apache-2.0
"""The control socket, with real sockets: answers, and clients that are bad, slow or gone (R31, Bad input)."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_bench import STATUS, Bench, new_root
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qx.control import client, protocol
from qx.control.render import duration, mode_line, status_text
from qx.control.server import listen
from qx.errors import NoDaemon, NotProvisioned, Refusal
from qx.packing import pack, unpack
from qx.paths import Paths


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(new_root(tmp_path), request_time=0.3, clients=4) as served:
        yield served


def plug(bench: Bench) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(str(bench.unit.paths.control_socket))
    return sock


def answer(sock: socket.socket) -> dict[str, object]:
    octets = b""
    while part := sock.recv(65536):
        octets += part
    assert int.from_bytes(octets[:4], "big") == len(octets) - 4
    return unpack(octets[4:])


def test_the_socket_is_the_units_own(bench: Bench) -> None:
    """R17 in spirit: nobody but root talks to the daemon."""
    assert stat.S_IMODE(bench.unit.paths.control_socket.stat().st_mode) == 0o600


def test_operations_answer(bench: Bench) -> None:
    """R31: the operations, once, for every face."""
    paths = bench.unit.paths
    assert client.call(paths, "status")["group_id"] == STATUS["group_id"]
    answered = client.call(paths, "set", {"changes": {"redundancy.group_id": "18"}, "who": "test"})
    assert answered == {"revision": 1, "changed": ("redundancy.group_id",), "durable": "this"}
    assert bench.unit.applied == [{"redundancy.group_id"}]
    assert client.call(paths, "get", {"paths": ["redundancy.group_id"]})[0]["text"] == "18"
    assert client.call(paths, "mode", {"mode": "passive"}) == "passive"
    assert bench.unit.mode == "passive"
    with pytest.raises(Refusal, match="swap: no Backup answers"):
        client.call(paths, "swap")


def test_a_refused_set_changes_nothing_and_applies_nothing(bench: Bench) -> None:
    """Bad input: validated whole before it is committed; unchanged settings are not applied again."""
    with pytest.raises(Refusal, match=r"redundancy\.group_id: '0': expected"):
        client.call(
            bench.unit.paths, "set", {"changes": {"redundancy.group_id": "0", "network.dns": "9.9.9.9"}}
        )
    client.call(bench.unit.paths, "set", {"changes": {"redundancy.group_id": "1"}})
    client.call(bench.unit.paths, "set", {"changes": {"redundancy.group_id": "1"}})
    assert bench.unit.store.settings.words("network.dns") == ()
    assert bench.unit.applied in ([], [{"redundancy.group_id"}])


def test_an_apply_that_refuses_is_told(bench: Bench) -> None:
    """The answer to `set` is also whether it is in use."""
    bench.unit.refuse_to_apply = "lan: lan0 does not exist; settings are stored and not in use"
    with pytest.raises(Refusal, match="lan0 does not exist"):
        client.call(bench.unit.paths, "set", {"changes": {"redundancy.group_id": "7"}})


@pytest.mark.parametrize(
    ("operation", "arguments", "said"),
    [
        ("dance", {}, "operation: 'dance'; expected one of status"),
        ("set", {}, "changes: expected a map"),
        ("set", {"changes": {"a": 1}}, "changes: expected a map"),
        ("set", {"changes": {"redundancy.group_id": "1"}, "who": 3}, "who: expected a text"),
        ("get", {"paths": "redundancy"}, "paths: expected a list"),
        ("get", {"paths": [3]}, "paths: expected a list"),
        ("mode", {"mode": "on"}, "mode: 'on'; expected active or passive"),
        ("events", {"last": -1}, "last: expected a whole number"),
        ("events", {"after": True}, "after: expected a whole number"),
    ],
)
def test_bad_arguments_are_named(
    bench: Bench, operation: str, arguments: dict[str, object], said: str
) -> None:
    """Bad input: the argument and what was expected."""
    with pytest.raises(Refusal) as caught:
        client.call(bench.unit.paths, operation, arguments)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff",
        (protocol.REQUEST_MAX + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x02\x01\x02",
        b"\x00\x00\x00\x01\x90",
        b"\x00\x00\x00\x04" + pack({"op": 3})[:4],
        b"\x00\x00\x10\x00" + b"\x91" * 4096,
    ],
)
def test_garbage_gets_a_line_and_harms_nobody(bench: Bench, octets: bytes) -> None:
    """Bad input: no frame makes the daemon do anything but say so."""
    with plug(bench) as sock:
        sock.sendall(octets)
        said = answer(sock)
    assert said["code"] == 1
    assert "expected" in str(said["error"]) or "not msgpack" in str(said["error"])
    assert client.call(bench.unit.paths, "status")["role"] == "master"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(min_size=1, max_size=200))
def test_any_body_is_answered(bench: Bench, body: bytes) -> None:
    """Bad input: whole frames of any content."""
    with plug(bench) as sock:
        sock.sendall(len(body).to_bytes(4, "big") + body)
        assert set(answer(sock)) in ({"error", "code"}, {"result"})


def test_a_slow_client_is_dropped_and_others_are_served(bench: Bench) -> None:
    """Bad input: half a request is given up after its time; meanwhile others do not wait."""
    with plug(bench) as slow:
        slow.sendall(b"\x00\x00\x00\x20half")
        began = time.monotonic()
        assert client.call(bench.unit.paths, "status")
        assert time.monotonic() - began < 0.25
        assert "no whole request" in str(answer(slow)["error"])


def test_a_client_that_leaves_harms_nobody(bench: Bench) -> None:
    """Bad input: gone in the header, in the body, before the answer; a whole request is carried out."""
    whole = protocol.frame({"op": "set", "args": {"changes": {"redundancy.group_id": "9"}}}, 4096)
    for octets in (b"", whole[:2], whole[:20]):
        with plug(bench) as sock:
            sock.sendall(octets)
    assert bench.unit.store.settings["redundancy.group_id"] == 1
    with plug(bench) as sock:
        sock.sendall(whole)
    until = time.monotonic() + 5
    while bench.unit.applied != [{"redundancy.group_id"}] and time.monotonic() < until:
        time.sleep(0.01)
    assert bench.unit.applied == [{"redundancy.group_id"}]


def test_the_number_of_clients_is_bounded(bench: Bench) -> None:
    """Bad input: one too many is told so, and is served when another has left."""
    plugs = [plug(bench) for _ in range(4)]
    with pytest.raises(Refusal, match="more than 4 clients at once"):
        client.call(bench.unit.paths, "status")
    for sock in plugs:
        sock.close()
    until = time.monotonic() + 5
    while True:
        try:
            assert client.call(bench.unit.paths, "status")
            return
        except Refusal:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_a_client_that_does_not_read_is_dropped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that stops reading costs a bounded queue for a bounded time, and no event is held up."""
    monkeypatch.setattr("qx.control.server.SEND_TIME", 0.2)
    with plug(bench) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(protocol.frame({"op": "events", "args": {"follow": True}}, 4096))
        time.sleep(0.1)
        began = time.monotonic()
        for number in range(1500):
            bench.unit.events.add("info", f"event {number}", "x" * 500)
        assert time.monotonic() - began < 1
        assert client.call(bench.unit.paths, "status")
        until = time.monotonic() + 5
        while bench.unit.events._subscribers and time.monotonic() < until:
            time.sleep(0.02)
        assert bench.unit.events._subscribers == []


def test_events_are_followed_without_a_gap(bench: Bench) -> None:
    """R31, R33: the kept ones first, then each as it comes; leaving ends the subscription."""
    for number in range(3):
        bench.unit.events.add("info", f"old {number}")
    stream = client.follow(bench.unit.paths, "events", {"follow": True, "last": 2, "after": None})
    assert [next(stream)["name"] for _ in range(2)] == ["old 1", "old 2"]
    threading.Timer(0.05, lambda: bench.unit.events.add("critical", "Backup device is DOWN")).start()
    event = next(stream)
    assert (event["name"], event["id"], event["severity"]) == ("Backup device is DOWN", 4, "critical")
    stream.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 5
    while bench.unit.events._subscribers and time.monotonic() < until:
        time.sleep(0.02)
    assert bench.unit.events._subscribers == []


def test_two_sets_at_once_take_turns(bench: Bench) -> None:
    """What was committed last is in use last."""
    threads = [
        threading.Thread(
            target=client.call,
            args=(bench.unit.paths, "set", {"changes": {"redundancy.group_id": str(number)}}),
        )
        for number in (11, 12, 13)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.unit.applied == [{"redundancy.group_id"}] * 3


def test_the_file_of_a_killed_daemon_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    """R11 in spirit: a restart needs no hand; a second daemon is told."""
    path = new_root(tmp_path) / "run/qx/control.sock"
    first = listen(path)
    with pytest.raises(Refusal, match="a daemon answers there already"):
        listen(path)
    first.close()  # as a kill does: the file stays
    assert path.exists()
    with pytest.raises(NoDaemon):
        client.call(Paths(tmp_path), "status")
    listen(path).close()


def test_run_may_be_empty_after_a_boot_and_a_root_may_be_deep(tmp_path: Path) -> None:
    """`run/qx` holds nothing that must last; a socket's address holds 108 octets."""
    root = new_root(tmp_path / ("d" * 100) / ("e" * 100))
    (root / "run/qx").rmdir()
    with Bench(root) as bench:
        assert client.call(bench.unit.paths, "status")["role"] == "master"
    assert not bench.unit.paths.control_socket.exists()


def test_without_a_daemon_or_a_unit_it_says_which(tmp_path: Path) -> None:
    """Contract: one line."""
    with pytest.raises(NotProvisioned, match="qx provision"):
        client.call(Paths(tmp_path), "status")
    new_root(tmp_path)
    with pytest.raises(NoDaemon, match=f"no daemon runs on {tmp_path};"):
        client.call(Paths(tmp_path), "status")


def test_a_daemon_that_hangs_is_given_up(tmp_path: Path) -> None:
    """Bad input: the face waits for a bounded time."""
    with listen(new_root(tmp_path) / "run/qx/control.sock"), pytest.raises(Refusal, match=r"within 0\.1 s"):
        client.call(Paths(tmp_path), "status", wait=0.1)


def test_stopping_drops_every_client(bench: Bench) -> None:
    """A daemon that ends does not wait for its followers."""
    with plug(bench) as sock:
        sock.sendall(protocol.frame({"op": "events", "args": {"follow": True}}, 4096))
        time.sleep(0.05)
        began = time.monotonic()
        bench.run(bench.server.stop())
        assert time.monotonic() - began < 2
        assert sock.recv(1) == b""
    assert not asyncio.all_tasks(bench.loop)
    assert not os.path.exists(bench.unit.paths.control_socket)  # noqa: PTH110


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ({"role": "master", "mode": None}, "Device is in Master mode"),
        ({"role": "backup", "mode": "active"}, "Device is in Backup mode (Active)"),
        ({"role": "backup", "mode": "passive"}, "Device is in Backup mode (Passive)"),
        ({"role": "standalone"}, "Device is in Standalone mode"),
        ({"role": "starting"}, "Device is starting"),
        ({"role": "fault", "why": "no link on lan0"}, "Device is in fault: no link on lan0"),
        ({"role": "fault"}, "Device is in fault: no reason was given"),
    ],
)
def test_the_first_line_is_the_guides(status: dict[str, object], line: str) -> None:
    """R12: "Info: Current mode: Device is in Master mode", and the others in its manner."""
    assert mode_line(status) == f"Info: Current mode: {line}"


def test_status_reads_well_and_survives_missing_keys() -> None:
    """R31: compact and aligned; an older or newer daemon may deliver other keys."""
    assert status_text(STATUS) == "\n".join(
        [
            "Info: Current mode: Device is in Master mode",
            "unit          QX200 QX200-000001",
            "firmware      1.0.0",
            "group         18",
            "Virtual IP    10.77.0.1/24",
            "service       10.77.0.100/24",
            "VRRP          master; sent 7",
            "peer          backup (Active), QX200-000002, firmware 1.0.0",
            "sync          revision 3, peer 3, 0.5 s old",
            "applications  none",
        ]
    )
    assert status_text({}).startswith("Info: Current mode: ")
    named = status_text({**STATUS, "mismatches": ["firmware: 1.0.0 here, 0.9.0 there"], "since": 0})
    assert "mismatch      firmware: 1.0.0 here, 0.9.0 there" in named
    assert "since         1970-01-01" in named
    aged = status_text({**STATUS, "vrrp": {"state": "backup", "state_since_s": 7.5}})
    assert "VRRP          backup for 7.5 s" in aged
    assert [duration(s) for s in (0.04, 9.96, 119, 121, 7300, 200000)] == [
        "0.0 s",
        "10.0 s",
        "119 s",
        "2 min",
        "2 h",
        "2 d",
    ]
