# SPDX-License-Identifier: Apache-2.0
"""The configuration as one file, and back: whole or not at all, nothing secret in the clear (R17, R40)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from settings_bench import QX200, new, opened

from qx.errors import Refusal
from qx.model import MODELS
from qx.settings import archive, headers
from qx.settings.archive import BadArchive
from qx.settings.field import BadSettings
from qx.settings.values import Plain
from qx.settings.view import Settings

VECTORS = Path(__file__).parents[1] / "vectors/archive"
PASSPHRASE = "correct horse"
VALUES: dict[str, Plain] = {
    "redundancy.enabled": False,
    "redundancy.virtual_ip": "10.77.0.1/24",
    "redundancy.backup_mode": "passive",
    "redundancy.group_id": 18,
    "redundancy.sync_interval": 30,
    "network.lan.address": "10.77.0.100/24",
    "network.dns": ("9.9.9.9",),
    "extensions.101.name": "Al",
    "extensions.101.password": "secret-of-101",
    "phones.00:15:65:00:00:01.extension": "101",
    "mail.server": "mail.example",
    "mail.password": "secret of mail",
    "snmp.hosts.noc.community": "secret-community",
}
OURS = Settings(QX200, VALUES)
HASH, OTHER = ("$argon2id$v=19$m=12288,t=3,p=1$" + 22 * c + "$" + 43 * c for c in "AB")


def restored(now: Settings, octets: bytes, passphrase: str = "") -> dict[str, Plain]:
    after = now.replaced(archive.restoring(now, octets, passphrase).changes)
    return {path: after.explicit_value(path) for path in after.explicit_paths()}


def remade(body: dict[str, object], model: str = "qx200", version: int = archive.FORMAT) -> bytes:
    """A file with this body and a right digest."""
    return archive.seal(model, "1.0.0", 0, {"left_out": (), "secrets": None, **body}, version)


def test_what_is_backed_up_comes_back_on_another_unit() -> None:
    """R40: everything that units share; a passphrase brings the secrets along."""
    shared = {p: v for p, v in VALUES.items() if OURS.schema.find(p).scope == "shared"}  # type: ignore[union-attr]
    octets = archive.make(OURS, "1.0.0", 1764000000, PASSPHRASE)
    assert restored(Settings(QX200), octets, PASSPHRASE) == shared
    own: dict[str, Plain] = {"redundancy.virtual_ip": "10.0.0.9/24", "redundancy.group_id": 7}
    there = Settings(QX200, {**own, "mail.user": "goes", "mail.password": "another"})
    assert restored(there, octets, PASSPHRASE) == {**own, **shared}


def test_the_units_own_and_pair_parameters_are_neither_in_it_nor_changed() -> None:
    """R40, R13."""
    octets = archive.make(OURS, "1.0.0", 0, PASSPHRASE)
    kept = {path for path in archive.read(octets).settings if not path.startswith("redundancy.sync")}
    assert not any(path.startswith(("redundancy.", "network.lan.address")) for path in kept)


def test_without_a_passphrase_no_secret_is_in_it() -> None:
    """R17: left out and said so; the unit keeps its own for what is still there."""
    octets = archive.make(OURS, "1.0.0", 0)
    assert b"secret" not in octets.replace(b"secrets", b"")
    assert archive.read(octets).left_out == {p for p in VALUES if "password" in p or "community" in p}
    found = archive.restoring(Settings(QX200, {"mail.password": "mine", "mail.user": "u"}), octets)
    assert found.kept == ("mail.password",)
    assert found.missing == ("extensions.101.password",)
    assert found.changes["mail.user"] is None
    assert "mail.password" not in found.changes


def test_a_row_that_is_not_in_the_file_goes_with_its_secrets() -> None:
    """R40: what is restored is what was backed up."""
    octets = archive.make(OURS, "1.0.0", 0)
    there = Settings(QX200, {"extensions.102.name": "Bo", "extensions.102.password": "abcd"})
    assert not any("102" in path for path in restored(there, octets))


def test_a_row_that_has_nothing_but_its_secret_keeps_it() -> None:
    """R40, R25: an administrator who has set no more than a password still logs in with it."""
    ours = Settings(QX200, {"users.admin.password": HASH, "snmp.hosts.noc.community": "known-here"})
    octets = archive.make(ours, "1.0.0", 0)
    assert restored(ours, octets) == {path: ours.explicit_value(path) for path in ours.explicit_paths()}
    assert archive.restoring(Settings(QX200), octets).missing == ()


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
def test_the_administrators_password_outlives_an_older_backup(passphrase: str) -> None:
    """R25: never back to the factory's, which stands on the label."""
    octets = archive.make(OURS, "1.0.0", 0, passphrase)
    there = Settings(QX200, {"users.admin.password": HASH, "users.bo.password": HASH})
    after = restored(there, octets, passphrase)
    assert after["users.admin.password"] == HASH
    assert "users.bo.password" not in after
    backed_up = archive.make(Settings(QX200, {"users.admin.password": OTHER}), "1.0.0", 0, PASSPHRASE)
    assert restored(there, backed_up, PASSPHRASE) == {"users.admin.password": OTHER}


def test_with_a_passphrase_secrets_are_in_it_for_its_owner_alone() -> None:
    """R17: encrypted; another passphrase, and none, are refused by name; no two boxes are alike."""
    octets = archive.make(OURS, "1.0.0", 0, PASSPHRASE)
    assert b"secret-of" not in octets
    assert b"101.password" not in octets
    for passphrase, said in (("", "missing"), ("wrong", "does not open")):
        with pytest.raises(BadArchive, match=f"^passphrase: {said}"):
            archive.restoring(Settings(QX200), octets, passphrase)
    assert archive.make(OURS, "1.0.0", 0, PASSPHRASE) != octets
    with pytest.raises(Refusal, match="expected 1 to 1024"):
        archive.make(OURS, "1.0.0", 0, "x" * 1025)


@pytest.mark.parametrize("model", [name for name in MODELS if name != "qx200"])
def test_a_file_of_another_model_is_refused_by_name(model: str) -> None:
    """R40."""
    octets = archive.make(OURS, "1.0.0", 0)
    title = MODELS[model].title
    with pytest.raises(BadArchive, match="of a QX200; expected one of a " + title.replace("+", r"\+")):
        archive.restoring(Settings(MODELS[model]), octets)


@pytest.mark.parametrize("version", range(1, archive.FORMAT + 1))
@pytest.mark.parametrize("kind", ["plain", "secrets"])
def test_files_of_every_format_are_still_taken(version: int, kind: str) -> None:
    """R40: golden files of each format version."""
    octets = (VECTORS / f"format-{version}-{kind}.qxbackup").read_bytes()
    passphrase = PASSPHRASE if kind == "secrets" else ""
    after = restored(Settings(QX200), octets, passphrase)
    assert after["extensions.101.name"] == "Al"
    assert after["network.dns"] == ("9.9.9.9",)
    assert after.get("mail.password") == ("secret of mail" if passphrase else None)


def test_an_older_format_is_migrated_step_by_step() -> None:
    """R40: each step takes the body of one format to the next."""

    def renamed(body: archive.Body) -> archive.Body:
        return {**body, "settings": (("mail.user", body["user"]),)}

    octets = remade({"user": "old"}, version=0)
    assert archive.read(octets, {0: renamed}).settings == {"mail.user": "old"}
    with pytest.raises(BadArchive, match="format 0: not readable"):
        archive.read(octets)


def test_a_newer_format_is_refused_by_name() -> None:
    """Bad input."""
    with pytest.raises(BadArchive, match="format 99 of newer firmware"):
        archive.read(remade({"settings": ()}, version=99))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "settings"),
        ({"settings": {}}, "list of settings"),
        ({"settings": (("mail.user",),)}, "pairs"),
        ({"settings": (("mail.user", 1.5),)}, "path and value"),
        ({"settings": (("../../etc", "x"),)}, "path and value"),
        ({"settings": (("mail.user", "x"), ("mail.port", 1))}, "in order"),
        ({"settings": (), "left_out": "x"}, "left_out"),
        ({"settings": (), "secrets": (1,)}, "left_out and secrets"),
        ({"settings": (("mail.nothing", "x"),)}, "mail.nothing: unknown; expected a setting of the QX200"),
        ({"settings": (("isdn.1.name", "x"),)}, "isdn.1.name: unknown"),
        ({"settings": (("redundancy.virtual_ip", "10.0.0.1/24"),)}, "virtual_ip: expected nothing"),
        ({"settings": (("redundancy.group_id", 3),)}, "redundancy.group_id: expected nothing"),
        ({"settings": (("mail.password", "x"),)}, "mail.password: expected nothing"),
        ({"settings": (), "secrets": {"kdf": "md5"}}, "parameters of Argon2id"),
        (
            {"settings": (), "secrets": {"kdf": "argon2id", "salt": bytes(16), "passes": 3,
                                         "memory": 1 << 40, "box": b"x"}},
            "parameters of Argon2id",
        ),
        (
            {"settings": (), "secrets": {"kdf": "argon2id", "salt": bytes(16), "passes": 1 << 40,
                                         "memory": 8192, "box": b"x"}},
            "parameters of Argon2id",
        ),
    ],
)  # fmt: skip
def test_a_file_with_anything_else_is_refused_whole(body: dict[str, object], said: str) -> None:
    """Bad input: also with a right digest; the field or setting is named."""
    with pytest.raises((BadArchive, BadSettings)) as caught:
        archive.restoring(OURS, remade(body), "some")
    assert said in str(caught.value)


@pytest.mark.parametrize("octets", [b"", b"QXAR", b"PK\x03\x04" + bytes(200), b"QXDF" + bytes(200)])
def test_another_file_is_told_what_was_expected(octets: bytes) -> None:
    """Bad input."""
    with pytest.raises(BadArchive, match="expected a configuration backup"):
        archive.read(octets)


def test_a_file_that_is_too_long_is_refused() -> None:
    """Bad input: before it is read."""
    with pytest.raises(BadArchive, match="expected at most"):
        archive.read(b"QXAR" + bytes(archive.SIZE_MAX))


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, 10_000), flip=st.integers(0, 255))
def test_a_torn_or_changed_file_is_refused(at: int, flip: int) -> None:
    """Bad input: cut anywhere, flipped anywhere, header and body."""
    octets = (VECTORS / "format-1-plain.qxbackup").read_bytes()
    at %= len(octets)
    bad = octets[:at] + bytes([octets[at] ^ flip]) + octets[at + 1 :] if flip else octets[:at]
    with pytest.raises(BadArchive):
        archive.restoring(Settings(QX200), bad)


def test_the_header_is_the_documented_one() -> None:
    """Model, firmware and time can be told without reading the body."""
    head = headers.ARCHIVE.parse(archive.make(OURS, "1.2.3", 1764000000, PASSPHRASE))
    assert (head.model.rstrip(b"\0"), head.firmware.rstrip(b"\0")) == (b"qx200", b"1.2.3")
    assert (head.version, head.flags, head.when) == (1, archive.SECRETS, 1764000000)


def test_restoring_is_one_commit_and_invalid_files_change_nothing(tmp_path: Path) -> None:
    """R40: judged whole with what the unit keeps; one revision, which opens a history."""
    with opened(new(tmp_path)) as store:
        store.commit({"mail.user": "x"}, "test", "set")
        before = (store.position, store.state_hash)
        bad = remade({"settings": (("network.lan.gateway", "192.0.2.1"),)})
        with pytest.raises(BadSettings, match=r"network\.lan\.gateway"):
            store.commit(archive.restoring(store.settings, bad).changes, "test", "restore", new_history=True)
        assert (store.position, store.state_hash) == before
        found = archive.restoring(store.settings, archive.make(OURS, "1.0.0", 0, PASSPHRASE), PASSPHRASE)
        store.commit(found.changes, "test", "restore", new_history=True)
        assert store.revision == 2
        assert store.position.history != before[0].history


def test_a_whole_qx2000_fits() -> None:
    """2,000 extensions and phones with everything set."""
    values: dict[str, Plain] = {}
    row = ""
    extension: dict[str, Plain] = {
        "name": "n" * 64, "display": "d" * 64, "mail": "m" * 40 + "@example.com", "password": "p" * 64,
        "voicemail_pin": "12345678", "forward_to": "1" * 20, "ring_time": 100, "voicemail": True,
        "record": True, "forward": "always", "enabled": True,
    }  # fmt: skip
    phone: dict[str, Plain] = {
        "vendor": "cisco-enterprise", "model": "m" * 32, "location": "l" * 64, "login": "l" * 32,
        "login_password": "p" * 64, "enabled": True, "transport": "tls",
    }  # fmt: skip
    for n in range(2000):
        values |= {f"extensions.{10000 + n}.{field}": value for field, value in extension.items()}
        row = f"phones.00:15:65:00:{n >> 8:02x}:{n & 255:02x}"
        values |= {f"{row}.{field}": value for field, value in phone.items()}
        values[f"{row}.extension"] = str(10000 + n)
    octets = archive.make(Settings(MODELS["qx2000"], values), "1.0.0", 0, PASSPHRASE)
    assert len(octets) < archive.SIZE_MAX
    assert archive.read(octets).settings[f"{row}.vendor"] == "cisco-enterprise"
