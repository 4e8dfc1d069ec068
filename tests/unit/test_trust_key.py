# SPDX-License-Identifier: Apache-2.0
"""Feature keys: read as they were issued, and refused by name for every reason there is (R1, R17, R37)."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trust_bench import (
    DEVELOPMENT,
    LAB,
    LAB_SIGNERS,
    PRODUCTION,
    STRANGER,
    TODAY,
    UNIT,
    VENDOR,
    VIRT,
    A,
    B,
    C,
    contents,
    issued,
    new_paths,
    octets_of,
    resealed,
    signed,
    traces,
)

from qx.errors import Refusal
from qx.trust import files, headers, key, paste, refused
from qx.trust.key import judge, read_octets, read_public, read_text
from qx.trust.signers import read_signers, signer_id

DAY = timedelta(days=1)


def test_a_matching_set_is_two_keys_with_one_secret() -> None:
    """R37: bound to both serial numbers, in matching sets; R17: only redundancy carries the pair secret."""
    a, b = (read_text(text, PRODUCTION) for text in issued("redundancy,recording", expires=TODAY + DAY))
    assert (a.licence.serial, a.licence.peer) == (b.licence.peer, b.licence.serial) == (A, B)
    assert a.licence.features == b.licence.features == {"redundancy", "recording"}
    assert (a.licence.issued, a.licence.expires) == (TODAY, TODAY + DAY)
    assert a.licence.set_id == b.licence.set_id
    assert a.licence.signer == "vendor-2026"
    assert a.pair is not None
    assert a.pair == b.pair
    assert len(a.pair) == 32
    other, _ = (read_text(text, PRODUCTION) for text in issued())
    assert other.pair != a.pair
    assert other.licence.set_id != a.licence.set_id
    plain, _ = (read_text(text, PRODUCTION) for text in issued("recording"))
    assert plain.pair is None
    assert plain.licence.pair_hash is None


def test_the_public_part_is_verified_without_the_secret() -> None:
    """R17, R37: what the hello shows is signed by the vendor and has the pair key's hash, not the key."""
    text, _ = issued()
    whole = read_text(text, PRODUCTION)
    assert whole.pair is not None
    assert whole.pair.reveal() not in whole.licence.public
    assert read_public(whole.licence.public, PRODUCTION) == whole.licence
    for place in range(len(whole.licence.public)):
        changed = bytearray(whole.licence.public)
        changed[place] ^= 1
        with pytest.raises(refused.KeyRefused):
            read_public(bytes(changed), PRODUCTION)


@pytest.mark.parametrize(
    "changed",
    [
        str.lower,
        lambda t: t.replace("-", ""),
        lambda t: t.replace("-", " \r\n\t"),
        lambda t: f"\ufeff\n{t}\n\n",
        lambda t: t.replace("O", "0").replace("I", "1").replace("B", "8"),
        lambda t: t.replace("-", "\u2011"),
    ],
)
def test_case_and_white_space_mean_nothing(changed: Any) -> None:
    """R37: pasted as text, wrapped by a mail program or read from paper."""
    text, _ = issued()
    assert "\n" not in text
    assert " " not in text
    assert text.startswith("QXLICKEY-")
    assert read_text(changed(text), PRODUCTION) == read_text(text, PRODUCTION)


def test_truncated_at_every_length() -> None:
    """Must show: a truncated key is refused by that name, and the line says how much is missing."""
    text, _ = issued()
    kept = text.replace("-", "")
    for length in range(1, len(kept)):
        with pytest.raises(refused.Truncated, match="truncated"):
            read_text(kept[:length], PRODUCTION)
    with pytest.raises(refused.Truncated, match=f"100 of {len(kept)} characters"):
        read_text(kept[:100], PRODUCTION)
    octets = octets_of(text)
    for length in range(len(octets)):
        with pytest.raises(refused.Mistyped):
            read_octets(octets[:length], PRODUCTION)


def test_one_wrong_character_anywhere_is_a_slip_and_no_forgery() -> None:
    """Bad input: the checksum tells a slip of the keyboard from a forged key."""
    kept = issued()[0].replace("-", "")
    for place, character in enumerate(kept):
        for other in ("A" if character != "A" else "7", "2" if character != "2" else "Q"):
            with pytest.raises(refused.Mistyped):
                read_text(kept[:place] + other + kept[place + 1 :], PRODUCTION)
    for extra in (kept + "A", kept + "AAAAAAAA", kept + kept, "A" + kept):
        with pytest.raises(refused.Mistyped):
            read_text(extra, PRODUCTION)
    with pytest.raises(refused.Mistyped, match="character 12 is none that a key has"):
        read_text(kept[:11] + "$" + kept[12:], PRODUCTION)
    for nothing in ("", " ", "hello", "A" * 500, "Q" * 9000, "-----"):
        with pytest.raises(refused.Mistyped):
            read_text(nothing, PRODUCTION)


def test_struct_and_construct_agree() -> None:
    """Both headers are declared once more with construct, as their documentation; each reads the same."""
    octets = octets_of(issued()[0])
    head = headers.FEATURE_KEY.parse(octets)
    assert headers.FEATURE_KEY.sizeof() == key.HEADER.size == 17
    assert key.HEADER.unpack_from(octets) == (head.magic, head.format, head.signer, head.body, head.secret)
    assert (head.magic, head.format, head.signer, head.secret) == (key.MAGIC, 1, signer_id(VENDOR.public), 32)
    assert headers.FEATURE_KEY.build(head) == octets[:17]
    sealed = files.seal(b"QXKR", {"keys": []})
    head = headers.SEALED.parse(sealed)
    assert headers.SEALED.sizeof() == files.HEADER.size == 42
    assert files.HEADER.unpack_from(sealed) == (head.magic, head.version, head.length, head.digest)
    assert (head.magic, head.version, head.length) == (b"QXKR", files.VERSION, len(sealed) - 42)
    assert headers.SEALED.build(head) == sealed[:42]


def test_every_bit_is_covered_by_signature_or_hash() -> None:
    """Must show: a forged key is refused by that name, whichever bit was changed and the checksum mended."""
    octets = octets_of(issued()[0])
    body = key.HEADER.size
    for place in range(len(octets) - key.CHECKSUM):
        for bit in range(8):
            changed = bytearray(octets)
            changed[place] ^= 1 << bit
            reason: type[refused.KeyRefused] = refused.Forged if place >= body else refused.KeyRefused
            with pytest.raises(reason):
                read_text(resealed(bytes(changed)), PRODUCTION)


def test_another_signer_is_unknown_and_an_assumed_name_is_forged() -> None:
    """Must show: forged. Who signs with a key of his own under the vendor's id has no valid signature."""
    with pytest.raises(refused.UnknownSigner, match="known signers: vendor-2026"):
        read_text(issued(signer=STRANGER)[0], PRODUCTION)
    octets = octets_of(issued(signer=STRANGER)[0])
    at = len(key.MAGIC) + 1
    with pytest.raises(refused.Forged, match="not signed by vendor-2026"):
        read_text(resealed(octets[:at] + signer_id(VENDOR.public) + octets[at + 8 :]), PRODUCTION)


def test_the_development_key_counts_on_developers_boards_only(tmp_path: Path) -> None:
    """Item 3: a development key for lab and tests only, refused by production images, by name."""
    text, _ = issued(signer=DEVELOPMENT)
    paths = new_paths(tmp_path)
    for board in (LAB, VIRT):
        assert read_text(text, read_signers(paths, board)).licence.signer == "development"
    listed = paths.signers.read_text() + f'[sly]\npublic = "{DEVELOPMENT.public.hex()}"\n'
    for signers in (paths.signers.read_text(), listed):
        paths.signers.write_text(signers)
        with pytest.raises(refused.DevelopmentKey, match="signed with the development key"):
            read_text(text, read_signers(paths, UNIT))


def test_signers_come_from_the_image(tmp_path: Path) -> None:
    """Bad input: a wrong signers.toml is named with the field; without one nobody is known."""
    paths = new_paths(tmp_path)
    assert [s.name for s in read_signers(paths, UNIT).known.values()] == ["vendor-2026"]
    for wrong in ('[v]\npublic = "12"', "[v]", 'v = "x"', f'[v]\npublic = "{"g" * 64}"'):
        paths.signers.write_text(wrong)
        with pytest.raises(Refusal, match=r"signers.toml: v.public: expected 64"):
            read_signers(paths, UNIT)
    paths.signers.write_text("[")
    with pytest.raises(Refusal, match="not readable as TOML"):
        read_signers(paths, UNIT)
    paths.signers.unlink()
    with pytest.raises(refused.UnknownSigner, match="known signers: none"):
        read_text(issued()[0], read_signers(paths, UNIT))


def test_a_key_for_another_unit_is_refused_and_names_both() -> None:
    """Must show: a key for another serial number, refused by name."""
    a, b = (read_text(text, PRODUCTION).licence for text in issued())
    judge(a, A, None, TODAY)
    with pytest.raises(refused.OtherSerial, match=f"for serial number {B}; expected one for this unit, {A}"):
        judge(b, A, None, TODAY)


def test_a_key_for_another_pair_is_refused_unless_it_makes_the_pair() -> None:
    """R5 and the guide's section 5: a unit gets a new peer by a redundancy key, by no other."""
    fax, _ = (read_text(text, PRODUCTION).licence for text in issued("fax", (A, C)))
    pair, _ = (read_text(text, PRODUCTION).licence for text in issued("redundancy", (A, C)))
    judge(fax, A, None, TODAY)
    judge(fax, A, C, TODAY)
    with pytest.raises(refused.OtherPeer, match=f"for a pair with {C}; expected {B}"):
        judge(fax, A, B, TODAY)
    judge(pair, A, B, TODAY)


def test_a_key_is_good_until_the_end_of_its_last_day() -> None:
    """R1, must show: expired, judged at installation."""
    licence = read_text(issued(expires=TODAY)[0], PRODUCTION).licence
    judge(licence, A, None, TODAY)
    judge(licence, A, None, date(1970, 1, 1))
    with pytest.raises(refused.Expired, match="until 2026-11-23"):
        judge(licence, A, None, TODAY + DAY)


def test_a_newer_format_is_named() -> None:
    octets = bytearray(octets_of(issued()[0]))
    octets[len(key.MAGIC)] = 2
    with pytest.raises(refused.NewerFormat, match="format 2; expected 1"):
        read_text(resealed(bytes(octets)), PRODUCTION)


@pytest.mark.parametrize(
    ("field", "value"),
    [("serial", ""), ("serial", 7), ("serial", "A" * 25), ("peer", "a b"), ("peer", A), ("features", []),
     ("features", "redundancy"), ("features", ["redundancy", "X"]), ("features", ["redundancy"] * 33),
     ("features", ["redundancy", 1]), ("issued", "yesterday"), ("issued", None), ("issued", 5),
     ("expires", "never"), ("set", b"short"), ("set", "12345678"), ("features", ["fax"])],
)  # fmt: skip
def test_contents_that_make_no_sense_are_named(field: str, value: Any) -> None:
    """Bad input: what even the vendor's signature does not make right."""
    name = "pair" if value == ["fax"] else field
    with pytest.raises(refused.BadContents, match=f"{name}: "):
        read_text(signed(contents(**{field: value})), PRODUCTION)


def test_the_limits_of_what_a_key_may_say() -> None:
    most = ["redundancy", *(f"f{n}" for n in range(31))]
    assert len(read_text(signed(contents(features=most)), PRODUCTION).licence.features) == 32
    assert read_text(signed(contents(serial="A" * 24)), PRODUCTION).licence.serial == "A" * 24
    assert read_text(signed(contents(later="field")), PRODUCTION).licence.serial == A
    with pytest.raises(refused.Mistyped):
        read_text(signed(contents(later="x" * 1024)), PRODUCTION)
    with pytest.raises(refused.BadContents, match="pair: expected"):
        read_text(signed(contents(), pair=None), PRODUCTION)


def test_no_refusal_has_the_keys_characters() -> None:
    """R17: the pair secret is never logged, so no error has a part of the key."""
    for text in (issued()[0], issued(signer=STRANGER)[0], issued(signer=DEVELOPMENT)[0]):
        for wrong in (text, text[:-1], text + "A", text[:50] + "$" + text[51:], text[:50] + "A" + text[51:],
                      resealed(octets_of(text)[:-40] + b"x" * 40)):  # fmt: skip
            try:
                said = repr(read_text(wrong, PRODUCTION))
            except refused.KeyRefused as error:
                said = f"{error} {error!r}"
            assert not [trace for trace in traces(text) if trace in said]


# --- fuzz --------------------------------------------------------------------------------------------------
GOOD = octets_of(issued()[0])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def takes_or_refuses(text: str) -> None:
    try:
        key.read_text(text, LAB_SIGNERS)
    except refused.KeyRefused as error:
        assert str(error).startswith("feature key: ")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=600) | st.text("QXLICKEY234567-", max_size=600))
def test_fuzz_any_text(text: str) -> None:
    """Must show: the key parser is fuzzed. Nothing but a refusal by name comes out of it."""
    takes_or_refuses(text)
    takes_or_refuses("QXLICKEY" + text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fuzz_changed_keys(data: st.DataObject) -> None:
    """Keys with pieces changed, cut, doubled, and a checksum that fits again."""
    octets = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(octets)))
        octets[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    changed = bytes(octets) + b"\0" * max(0, key.CHECKSUM - len(octets))
    takes_or_refuses(paste.to_text(changed))
    takes_or_refuses(resealed(changed))
    for reader in (read_octets, read_public):
        try:
            reader(changed, PRODUCTION)
        except refused.KeyRefused:
            continue


@settings(max_examples=200, deadline=None)
@given(VALUES, st.dictionaries(st.sampled_from(sorted(contents())), VALUES, max_size=3))
def test_fuzz_signed_contents(whole: Any, changes: dict[str, Any]) -> None:
    """Whatever stands in a key that the vendor signed."""
    takes_or_refuses(signed(contents(**changes)))
    takes_or_refuses(signed(whole if isinstance(whole, dict) else {"serial": whole}))
