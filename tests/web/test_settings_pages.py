# SPDX-License-Identifier: Apache-2.0
"""The pages on a real pair, without a browser: the first page, Redundancy Settings, who may what, two
writers, files."""

from __future__ import annotations

import json
import ssl
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from board.lab.pair import Lab

from labtools import other, wait_for
from pairs import get, in_step, put
from web.conftest import address_of, connecting, serial, visitor
from web.visitor import Visitor


def test_the_first_page_says_protected_and_draws_both_units(admin: Visitor, at_backup: Visitor) -> None:
    """R12 and the first page: one answer, both serial numbers, roles, addresses."""
    for page in (admin.get("/").page.flat, at_backup.get("/").page.flat):
        assert (
            "Am I protected?" in page and "If the Master fails now, the Backup takes over by itself." in page
        )
        assert "QX200-000001" in page and "QX200-000002" in page
        assert "Backup (Active)" in page


def test_redundancy_settings_has_the_guides_words(admin: Visitor, at_backup: Visitor) -> None:
    """R2, R12, guide sections 3, 7 and 8: fields, the Info line, the button, the drop-down."""
    page = admin.get("/setup/redundancy").page.flat
    for words in (
        "Redundancy Settings", "Enable Redundancy", "Redundant Group ID", "Synchronization Interval",
        "Virtual IP Address/Virtual Subnet Mask", "Redundant Device Virtual IP Address",
        "Backup Device GUI Access Port", "Backup Device Mode", "Swap Master Device", "Save",
        "Info: Current mode: Device is in Master mode",
    ):  # fmt: skip
        assert words in page, words
    there = at_backup.get("/setup/redundancy").page.flat
    assert "Info: Current mode: Device is in Backup mode (Active)" in there
    assert "Swap Master Device" not in there


# ── who only looks ──


@pytest.fixture(scope="module")
def operator(lab: Lab, master: str, admin: Visitor) -> Visitor:
    """An operator, made on the Users page, who has chosen his own password."""
    form = dict(admin.get("/setup/users/row?table=users").page.form("/setup/users/row").fields)
    filled = form | {
        "row": "olga",
        "users..role": "operator",
        "users..password": "given-to-olga",
        "do": "save",
    }
    assert "Saved." in admin.post("/setup/users/row", list(filled.items())).text
    made = visitor(lab, master)
    assert "This password was not chosen by you" in made.login("olga", "given-to-olga").page.flat
    done = made.submit("/password", old="given-to-olga", new="olga-herself", again="olga-herself")
    assert "Your password was changed." in done.text
    return made


def test_an_operator_sees_every_page_and_changes_nothing(
    lab: Lab, master: str, admin: Visitor, operator: Visitor
) -> None:
    """R25: no page offers a change, and a form that is sent all the same is refused in words."""
    denied = {"/maintenance/reboot", "/maintenance/factory-reset"}
    own = {"/logout", "/password"}
    for path in operator.paths():
        answer = operator.get(path)
        assert answer.code == (403 if path in denied else 200), path
        assert path not in denied or "You are not authorized to access this page." in answer.text
        offered = {form.action for form in answer.page.forms if form.buttons and form.method == "post"} - own
        # Forms of settings stand there to be read, without their button.
        assert not offered, (path, offered)
    before = log_of(lab, master)
    sent = dict(admin.get("/setup/redundancy").page.form("/setup/redundancy").fields)
    csrf = dict(operator.get("/").page.form("/logout").fields)["csrf"]
    for path in ("/setup/redundancy", "/setup/redundancy/swap", "/setup/extensions/row", "/status/events",
                 "/status/history", "/setup/features", "/maintenance/reboot", "/maintenance/certificate",
                 "/maintenance/configuration/backup"):  # fmt: skip
        answer = operator.sent(path, list((sent | {"csrf": csrf, "how": "now"}).items()))
        assert answer.code == 403 and "not authorized" in answer.text, path
    assert log_of(lab, master) == before


def log_of(lab: Lab, unit: str) -> object:
    return json.loads(lab.qx(unit, "status", "--json").stdout)["sync"]["revision"]


# ── two at one form ──


def test_the_second_of_two_writers_is_told_and_nothing_is_lost(lab: Lab, master: str, admin: Visitor) -> None:
    """Issue: concurrent edits. Different fields of one form do not undo each other; of the same field the
    second writer sees what the first has set, and may set it all the same."""
    path, interval, port = "/setup/redundancy", "redundancy.sync_interval", "redundancy.backup_gui_port"

    def opened() -> dict[str, str]:
        return dict(admin.get(path).page.form(path).fields)

    first, second, third = opened(), opened(), opened()
    assert "Saved." in admin.post(path, list((first | {interval: "70"}).items())).text
    # Somebody who opened the page before, and changes another field: the 60 that stands in his form is old.
    assert "Saved." in admin.post(path, list((second | {port: "7778"}).items())).text
    assert (get(lab, master, interval), get(lab, master, port)) == ("70", "7778")
    told = admin.post(path, list((third | {interval: "80"}).items()))
    assert told.code == 409 and "somebody else has set it to 70" in told.page.flat
    assert get(lab, master, interval) == "70"
    kept = dict(told.page.form(path).fields)
    assert kept[interval] == "80" and kept[port] == "7778"
    assert "Saved." in admin.post(path, list(kept.items())).text
    assert get(lab, master, interval) == "80"
    admin.submit(path, redundancy__sync_interval="60", redundancy__backup_gui_port="7777")
    in_step(lab)


# ── files ──


def test_configuration_is_backed_up_and_restored_and_the_backup_follows(
    lab: Lab, master: str, admin: Visitor
) -> None:
    """R40: one file, one commit, also on the other unit; what is the unit's own and the pair's stays; a
    damaged file changes nothing."""
    put(lab, master, "extensions.188.name=Before", "network.ntp=10.77.0.50")
    form = admin.get("/maintenance/configuration").page.form("/maintenance/configuration/backup")
    file = admin.sent(form.action, [*form.fields, ("passphrase", "")])
    assert file.code == 200 and f'filename="{serial(master)}.qxb"' in file.headers["content-disposition"]
    put(lab, master, "extensions.188.name=After", "network.ntp=")
    restore = "/maintenance/configuration/restore"
    damaged = file.octets[:-9] + b"nine more" + file.octets[-1:]
    assert "backup" in admin.upload("/maintenance/configuration", restore, damaged).page.flat
    assert get(lab, master, "extensions.188.name") == "After"
    assert "The configuration was restored." in admin.upload(
        "/maintenance/configuration", restore, file.octets
    ).text  # fmt: skip
    in_step(lab)
    for unit in (master, other(master)):
        assert get(lab, unit, "extensions.188.name") == "Before"
        assert get(lab, unit, "network.ntp") == "10.77.0.50"
    assert get(lab, master, "redundancy.virtual_ip") != get(lab, other(master), "redundancy.virtual_ip")
    lab.qx(master, "unset", "extensions.188", "network.ntp").check_returncode()


def test_the_certificate_of_https_is_replaced_and_made_anew(
    lab: Lab, master: str, admin: Visitor, tmp_path: Path
) -> None:
    """R25: the owner's own is served within seconds; a file that is none leaves it."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=pbx.example", "-keyout", "key", "-out", "cert"]  # fmt: skip
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    pem = (tmp_path / "key").read_bytes() + (tmp_path / "cert").read_bytes()
    path, upload = "/maintenance/certificate", "/maintenance/certificate/upload"
    before = served(lab, master)
    refused = admin.upload(path, upload, (tmp_path / "cert").read_bytes())
    assert "expected a private key without a password, and its certificate" in refused.page.flat
    assert served(lab, master) == before
    assert "The certificate was replaced." in admin.upload(path, upload, pem).text
    own = ssl.PEM_cert_to_DER_cert((tmp_path / "cert").read_text())
    wait_for(lambda: served(lab, master) == own, 8.0, "HTTPS has the owner's certificate", 0.3)
    shown = admin.get(path).page.flat
    assert "CN=pbx.example" in shown and sha256(own).digest().hex(":").upper() in shown
    assert "new certificate in a moment" in admin.submit(path).text
    wait_for(lambda: served(lab, master) not in (own, b""), 8.0, "HTTPS has one of the unit's own", 0.3)


def served(lab: Lab, unit: str) -> bytes:
    """The certificate (DER) that HTTPS has now; empty while there is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with context.wrap_socket(connecting(lab, address_of(lab, unit), 443)()) as connection:
            return connection.getpeercert(binary_form=True) or b""
    except OSError:
        return b""
