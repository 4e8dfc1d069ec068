# SPDX-License-Identifier: Apache-2.0
"""What the tests of the pages share: a pair with a licence, and users on the PC who are logged in."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from board.lab import namespace
from board.lab.demo import VIRTUAL_IP
from board.lab.pair import Lab

from labtools import other, wait_for
from pairs import DEFAULT, in_step, pair, ready, service
from web.visitor import NEW, Visitor

Visiting = Callable[[str], Visitor]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The guide's pair: a Master and an active Backup, both with their pages up."""
    with pair("wb", tmp_path_factory.mktemp("web"), replace(DEFAULT, plan="same", pages=True)) as made:
        for unit in made.units:
            wait_for(lambda unit=unit: answers(made, address_of(made, unit)), 20.0, f"pages of {unit}")
        yield made


def address_of(lab: Lab, which: str) -> str:
    """Of the pages of unit a or b, or of the Master's service address."""
    return service(lab) if which == "master" else str(VIRTUAL_IP[which].ip)


def connecting(lab: Lab, address: str, port: int = 80) -> Callable[[], socket.socket]:
    """Connections of the PC to there."""

    def connect() -> socket.socket:
        made = namespace.socket_in(lab.network.name("pc"), socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(30)
        try:
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        return made

    return connect


def answers(lab: Lab, address: str, port: int = 80) -> bool:
    try:
        connecting(lab, address, port)().close()
    except OSError:
        return False
    return True


def visitor(lab: Lab, which: str, port: int = 80) -> Visitor:
    """Somebody at the PC who has not logged in."""
    address = address_of(lab, which)
    return Visitor(address, port, connecting(lab, address, port))


@pytest.fixture(scope="module")
def master(lab: Lab) -> str:
    return ready(lab)


@pytest.fixture(scope="module")
def admin(lab: Lab, master: str) -> Visitor:
    made = visitor(lab, master)
    made.come_in(f"QX200-{1 if master == 'a' else 2:06}")
    in_step(lab)
    return made


@pytest.fixture(scope="module")
def at_backup(lab: Lab, master: str, admin: Visitor) -> Visitor:
    """Logged in on the Backup with the password that crossed to it."""
    made = visitor(lab, other(master))
    assert "Am I protected?" in made.login("admin", NEW).text
    return made
