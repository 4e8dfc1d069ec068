"""The lab's probe, pages and command line do what they say."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.pair import Lab, namespaces_left
from board.lab.probe import Probe

A, PC = "10.77.0.1", "10.77.0.50"
SCRIPT = Path(__file__).resolve().parents[2] / "board" / "lab" / "lab"


# ── probe ──


def test_the_probe_measures_an_outage_of_known_length(bare_lab: Lab) -> None:
    """Bounded from both sides by the clock: the cut lasts at least from `cut` returned to `mend` called."""
    with Probe(bare_lab.network.name("pc"), A) as probe:
        time.sleep(0.3)
        began = time.monotonic()
        bare_lab.cut("a")
        down = time.monotonic()
        time.sleep(0.3 - (down - began))
        mending = time.monotonic()
        bare_lab.mend("a")
        up = time.monotonic()
        time.sleep(0.3)
        measured = probe.longest_silence(since=began)
        outage = probe.last_outage()
        own = probe.longest_send_gap(since=began)
    # From 300 ms ± 30 ms, widened by what the lab's own two commands and the prober's host took.
    assert 1000 * (mending - down) - 30 <= measured <= 1000 * (up - began) + 30 + own
    assert outage and outage.over and abs(outage.ms - measured) < 0.001
    assert abs(outage.at - began) < 0.1 + own / 1000


def test_the_probe_hears_no_silence_where_there_is_none_and_says_how_well_it_asked(bare_lab: Lab) -> None:
    with Probe(bare_lab.network.name("pc"), A) as probe:
        time.sleep(1.0)
        probe.stop()
        report = probe.report()
    assert report.sent >= 800 and report.replies == report.sent and report.duplicates == 0
    assert report.rate_hz > 800
    assert report.silence_ms < 10 + report.longest_send_gap_ms


def test_a_silence_that_lasts_is_counted_until_now(bare_lab: Lab) -> None:
    with Probe(bare_lab.network.name("pc"), "10.77.0.77") as probe:
        time.sleep(0.3)
        outage = probe.last_outage()
        assert 290 < probe.longest_silence() < 600
        assert outage and not outage.over and outage.ms > 290


# ── pages ──


def test_pages_of_a_unit_are_forwarded_from_the_pcs_side(bare_lab: Lab, tmp_path: Path) -> None:
    """A unit with a server answers; of one without, the connection is closed."""
    (tmp_path / "index.html").write_text("unit a")
    server = subprocess.Popen(
        bare_lab.exec_argv(
            "a", [sys.executable, "-m", "http.server", "80", "--bind", A, "--directory", str(tmp_path)]
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = {one.getsockname()[1]: "a", two.getsockname()[1]: "b"}
    port_a, port_b = ports
    bare_lab.pages.start(["10.77.0.100/24"], ports)
    try:
        deadline = time.monotonic() + 10
        while (answer := fetch(port_a)) == b"" and time.monotonic() < deadline:
            time.sleep(0.05)  # the server is starting
        assert answer.startswith(b"HTTP/1.0 200") and answer.endswith(b"unit a")
        assert fetch(port_b) == b""
        with pytest.raises(namespace.LabError, match=f"port {port_a} is in use"):
            Lab(bare_lab.prefix, tmp_path / "other").pages.start(["10.77.0.100/24"], ports)
    finally:
        bare_lab.pages.stop()
        server.kill()
        server.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            fetch(port_a)
        except ConnectionRefusedError:
            return
        time.sleep(0.05)
    raise AssertionError("the forwarder did not end")


def fetch(port: int) -> bytes:
    """What a browser gets from 127.0.0.1:port; nothing when the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        try:
            return b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            return b""


# ── command line ──


def run_lab(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "QX_LAB": f"c{os.getpid()}",
        "QX_LAB_DIR": str(tmp_path / "lab"),
        "QX": str(tmp_path / "no-such-qx"),
    }
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, env=environment, check=False
    )


def test_the_command_line_does_what_the_class_does(tmp_path: Path) -> None:
    try:
        assert run_lab(tmp_path, "up", "--bare").returncode == 0
        for command in (
            "cut a",
            "mend a",
            "cut b --wan",
            "mend b --wan",
            "split --pc a",
            "heal",
            "mute a",
            "power a off",
            "power a off",
            "power a on --bare",
            "unmute a",
        ):
            done = run_lab(tmp_path, *command.split())
            assert (done.returncode, done.stderr) == (0, ""), command
        told = json.loads(run_lab(tmp_path, "status", "--json").stdout)
        assert told["a"]["powered"] and told["b"]["link"] == {"lan": True, "wan": True}
        done = run_lab(tmp_path, "exec", "pc", "--", "sh", "-c", "ip -br address show lan; exit 7")
        assert done.returncode == 7 and PC in done.stdout
        done = run_lab(tmp_path, "probe", PC, "--seconds", "0.3", "--json")
        assert json.loads(done.stdout)["replies"] > 100
    finally:
        assert run_lab(tmp_path, "down").returncode == 0


def test_errors_are_one_line(tmp_path: Path) -> None:
    for command, said in (
        ("power a on", "the lab is down: run lab up"),
        ("exec a -- true", "unit a is off"),
        ("kill a", "unit a has no daemon.pid"),
        ("probe 10.77.0.1", "is not there"),
        ("up --no-pages", "no-such-qx"),
    ):
        done = run_lab(tmp_path, *command.split())
        assert done.returncode == 1 and done.stderr.count("\n") == 1, (command, done.stderr)
        assert said in done.stderr, command
    assert run_lab(tmp_path, "power", "c", "on").returncode == 2
    assert namespaces_left(f"c{os.getpid()}") == []
