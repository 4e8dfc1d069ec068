# SPDX-License-Identifier: Apache-2.0
"""R29: every word is in the template, the German catalogue has them all, and what the daemon put together is
read back and translated."""

from __future__ import annotations

import io
import re
import subprocess
from gettext import GNUTranslations
from pathlib import Path

import pytest

import messages
from language_packs import catalogue
from qx.control.render import status_text
from qx.words import ENGLISH, Words

LOCALE = Path(messages.LOCALE)
# The faces and what they are made of are in the template to the word. The daemon's own sentences come and go
# with its developers: most have to be there, and `make locale` brings in the rest.
FACES = (
    "firmware/qx/web",
    "firmware/qx/console",
    "firmware/qx/settings/groups",
    "firmware/qx/events/kinds.py",
)
LEAST = 0.95


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    return messages.collect().places


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> GNUTranslations:
    """Compiled by gettext itself, which checks the form of each message."""
    compiled = tmp_path_factory.mktemp("locale") / "de.mo"
    done = subprocess.run(
        ["msgfmt", "--check-format", "-o", compiled, LOCALE / "de.po"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return GNUTranslations(io.BytesIO(compiled.read_bytes()))


def ids(text: str) -> set[str]:
    found = re.findall(r'^msgid "(.+)"$', text, re.M)
    return {one.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\") for one in found}


def test_the_template_is_current(known: dict[str, set[str]]) -> None:
    """`make locale` makes it."""
    written = ids((LOCALE / "qx.pot").read_text())
    faces = {one for one, places in known.items() if any(place.startswith(FACES) for place in places)}
    assert len(faces) > 600
    assert not sorted(faces - written), "run `make locale`"
    assert len(written & known.keys()) >= LEAST * len(known), sorted(known.keys() - written)


def test_german_lacks_nothing_and_keeps_every_place(german: GNUTranslations) -> None:
    written = (LOCALE / "qx.pot").read_text()
    words = dict(german._catalog)  # type: ignore[attr-defined]
    wanted = ids(written)
    missing = sorted(one for one in wanted if not words.get(one))
    assert not missing, "translate these in firmware/locale/de.po"
    assert "#, fuzzy" not in (LOCALE / "de.po").read_text()
    for one in wanted:
        assert sorted(re.findall(r"%\(\w+\)[sd]|%%", one)) == sorted(
            re.findall(r"%\(\w+\)[sd]|%%", words[one])
        ), one
        assert sorted(re.findall(r"\{\w+\}|`[^`]*`", one)) == sorted(
            re.findall(r"\{\w+\}|`[^`]*`", words[one])
        ), one


def test_what_the_daemon_put_together_is_translated_with_what_stood_there(german: GNUTranslations) -> None:
    words = Words((_compiled(german)), "de")
    for english, other in (
        ("Info: Current mode: Device is in Backup mode (Passive)",
         "Info: Aktueller Modus: Das Gerät ist im Modus Backup (Passiv)"),
        ("the Master fell silent; addresses up after 0.4 ms",
         "der Master verstummte; Adressen stehen nach 0.4 ms"),
        ("slot b was given up: it did not come up; version 1.0 in slot a runs again",
         "Platz b wurde aufgegeben: es kam nicht hoch; Version 1.0 in Platz a läuft wieder"),
        ("redundancy.group_id: '0': expected a whole number from 1 to 255",
         "redundancy.group_id: '0': erwartet wird eine ganze Zahl von 1 bis 255"),
        ("LAN service address 10.0.0.1 is held by the station 02:00:00:00:00:01",
         "LAN-Dienstadresse 10.0.0.1 wird von der Station 02:00:00:00:00:01 gehalten"),
        ("up to 3 IPv4 addresses, separated by commas", "bis zu 3 IPv4-Adressen, durch Kommas getrennt"),
        ("no one has translated this", "no one has translated this"), ("", ""),
    ):  # fmt: skip
        assert words(english) == other


def test_a_status_is_told_line_by_line_in_another_language(german: GNUTranslations) -> None:
    """R29, R30: the mode as one sentence; every other line as a name and what stands behind it."""
    words = Words(_compiled(german), "de")
    told = status_text({"role": "backup", "mode": "active", "group_id": 18}, words).splitlines()
    assert told[0] == "Info: Aktueller Modus: Das Gerät ist im Modus Backup (Aktiv)"
    assert "Anwendungen   keine" in told and "Gruppe        18" in told


def test_values_stand_in_their_places_and_are_looked_up_themselves() -> None:
    words = Words(
        catalogue({"%(one)s before %(two)s": "%(two)s nach %(one)s", "active": "aktiv", "100%": "voll"})
    )
    assert words("%(one)s before %(two)s", {"one": "active", "two": 3}) == "3 nach aktiv"
    assert words("active before x%y") == "x%y nach aktiv"
    assert words("passive; active") == "passive; aktiv"
    assert ENGLISH("%(one)s of %(two)d", {"one": "active", "two": 3}) == "active of 3"


def test_a_place_twice_has_to_be_the_same_both_times() -> None:
    words = Words(catalogue({"from %(a)s back to %(a)s": "%(a)s hin und her"}))
    assert words("from here back to here") == "here hin und her"
    assert words("from here back to there") == "from here back to there"


@pytest.mark.parametrize("wrong", ["Fach %(fach)s", "Fach %(slot)", "Fach %d %(slot)s", "Fach %(slot)y"])
def test_a_translation_with_places_of_its_own_stays_english(wrong: str) -> None:
    """R29: a translator's slip keeps nobody from a page or the console."""
    words = Words(catalogue({"slot %(slot)s was given up": wrong}))
    assert words("slot A was given up") == "slot A was given up"
    assert words("slot %(slot)s was given up", {"slot": "A"}) == "slot A was given up"


@pytest.mark.parametrize("name", ["1", "²", "a b"])
def test_a_place_without_a_name_is_text(name: str) -> None:
    words = Words(catalogue({f"slot %({name})s was given up": "x", "Save": "Sichern"}))
    assert words("slot A was given up") == "slot A was given up" and words("Save") == "Sichern"


@pytest.mark.parametrize("octets", [b"", b"x", b"\xde\x12\x04\x95" + b"\xff" * 30])
def test_no_catalogue_at_all_is_said(octets: bytes) -> None:
    if not octets:
        assert Words(octets)("Save") == "Save"
        return
    with pytest.raises((OSError, ValueError)):
        Words(octets)


def test_sentences_of_a_module_and_what_is_none() -> None:
    source = '''"""A docstring, which nobody is told."""
WHY = {"a": "the LAN port lost its link"}
def f(x):
    log.warning("only the log has this")
    raise Refusal(f"slot {x.name} is empty; expected {'the other' if x else 'this'} one")
    Entry("Status", f)
'''
    found = set(messages.sentences(source))
    assert found == {"the LAN port lost its link", "Status", "slot %(name)s is empty; expected %(what)s one",
                     "the other"}  # fmt: skip


def _compiled(german: GNUTranslations) -> bytes:
    return catalogue({k: v for k, v in german._catalog.items() if isinstance(k, str) and k})  # type: ignore[attr-defined]
