# SPDX-License-Identifier: Apache-2.0
"""The vendor's commands: thin faces over `issuing`. Exit status: 0 done, 1 refused, 2 wrong usage."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import date
from pathlib import Path

from nacl.signing import SigningKey

from qx import durable
from qx.errors import Refusal

from . import issuing

PROJECT = Path(__file__).resolve().parents[2]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a day like 2026-01-31") from None


def issue_keys(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="issue-keys",
        description="Prints a matching set of feature keys, one a line: the first for SERIAL-A, the second "
        "for SERIAL-B. Each line carries the secret of the pair: hand it over on paper or an encrypted "
        "way, and install it with `qx licence install -`.",
    )
    parser.add_argument("serial_a", metavar="SERIAL-A")
    parser.add_argument("serial_b", metavar="SERIAL-B")
    parser.add_argument("--features", default="redundancy", metavar="NAME,…", help="default: redundancy")
    parser.add_argument(
        "--signer", type=Path, default=issuing.DEVELOPMENT_FILE, metavar="FILE",
        help="signing key (see make-signer); default: the development key, which only the lab and the "
        "emulator take",
    )  # fmt: skip
    parser.add_argument(
        "--expires", type=_day, metavar="DATE", help="the last day to install them; default: none"
    )
    options = parser.parse_args(argv)
    features = [name.strip() for name in options.features.split(",")]
    try:
        signer = issuing.read_signer(options.signer)
        serials = (options.serial_a, options.serial_b)
        for line in issuing.issue(serials, features, signer, date.today(), options.expires):
            print(line)
    except Refusal as error:
        print(f"issue-keys: {error}", file=sys.stderr)
        return 1
    return 0


def make_signer(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="make-signer",
        description="Makes a production signing key in FILE (0600, outside this source tree) and prints what "
        "the images need in etc/qx/signers.toml.",
    )
    parser.add_argument("name", metavar="NAME", help="what units call the signer, like vendor-2026")
    parser.add_argument("file", type=Path, metavar="FILE", help="a new file outside the source tree")
    options = parser.parse_args(argv)
    try:
        print(_make_signer(options.name, options.file), end="")
    except Refusal as error:
        print(f"make-signer: {error}", file=sys.stderr)
        return 1
    return 0


def _make_signer(name: str, file: Path) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name) or name == "development":
        raise Refusal(
            f"NAME: {name!r}; expected 1 to 32 small letters, digits, '-' or '_', not 'development'"
        )
    if file.resolve().is_relative_to(PROJECT):
        raise Refusal(f"{file}: lies in the source tree; expected a place where no repository takes it along")
    private = SigningKey.generate()
    try:
        durable.create(file, issuing.signer_text(name, private).encode())
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror}; expected the name of a new file") from None
    return issuing.signers_toml(name, bytes(private.verify_key))


def make_language_pack(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="make-language-pack",
        description="Signs a gettext catalogue (a .mo file of the pages' words) as a language pack.",
    )
    parser.add_argument("catalogue", type=Path, metavar="MO")
    parser.add_argument("pack", type=Path, metavar="PACK", help="the file to write")
    parser.add_argument("--language", required=True, metavar="CODE", help="like de or pt-BR")
    parser.add_argument("--name", required=True, help="as its speakers call it")
    parser.add_argument("--version", required=True)
    parser.add_argument(
        "--firmware", nargs=2, required=True, metavar=("FIRST", "LAST"), help="the releases that it is for"
    )
    parser.add_argument("--signer", type=Path, default=issuing.DEVELOPMENT_FILE, metavar="FILE")
    options = parser.parse_args(argv)
    try:
        octets = issuing.sign_language_pack(
            {
                "language": options.language,
                "name": options.name,
                "version": options.version,
                "firmware": options.firmware,
                "catalogue": options.catalogue.read_bytes(),
            },
            issuing.read_signer(options.signer),
        )
        options.pack.write_bytes(octets)
    except OSError as error:
        print(f"make-language-pack: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except Refusal as error:
        print(f"make-language-pack: {error}", file=sys.stderr)
        return 1
    return 0
