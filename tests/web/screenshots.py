# SPDX-License-Identifier: Apache-2.0
"""Every page once, from a real pair after a takeover, as small WebP pictures in docs/pages; and the first one
on a phone, in the dark and in German.

    make screenshots            (PYTHONPATH=.:tests:firmware python -m web.screenshots [FOLDER])
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from board.lab.pair import Lab
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from labtools import wait_for
from pairs import DEFAULT, in_step, pair, put, ready
from web.conftest import CHROMIUM, address_of, answers, come_in, forwarded, serial, visitor

PROJECT = Path(__file__).resolve().parents[2]
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WIDTH = {"desk": 860, "phone": 390}  # of the pictures, in pixels
QUALITY = 62
# Path, name of the picture and what the README shows of it.
FIRST, TAKEOVERS, SETTINGS = "overview", "status-takeovers", "setup-redundancy"
MORE = {"/setup/redundancy/swap": "swap", "/setup/extensions/row?table=extensions": "extension"}
EXTENSIONS = [
    f"extensions.{101 + at}.name={name}"
    for at, name in enumerate(("Reception", "Sales", "Support", "Workshop", "Stores"))
]


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    demo = replace(DEFAULT, plan="same", pages=True, pbx=True)
    with tempfile.TemporaryDirectory() as made, pair("sc", Path(made), demo) as lab:
        master = _lived(lab)
        admin = visitor(lab, master)
        admin.come_in(serial(master))
        urls = forwarded(lab, *lab.units)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            _shots(browser, urls[master], folder, {path: _name(path) for path in admin.paths()} | MORE)
            first = {"/": FIRST}
            _shots(browser, urls[master], folder, first, ending="-dark", color_scheme="dark")
            _shots(browser, urls[master], folder, first, ending="-phone", viewport=PHONE)
            _german(lab)
            _shots(browser, urls[master], folder, first, ending="-de")
            browser.close()
        lab.pages.stop()
    octets = sum(file.stat().st_size for file in folder.glob("*.webp"))
    print(f"{len(list(folder.glob('*.webp')))} pictures, {octets} octets in {folder}")
    return 0


def _lived(lab: Lab) -> str:
    """Some settings, a takeover, and the pair whole again; the Master's name."""
    master = ready(lab)
    visitor(lab, master).come_in(serial(master))
    put(lab, master, *EXTENSIONS, "time.zone=Europe/Berlin")
    in_step(lab)
    lab.power_off(master)
    other = "b" if master == "a" else "a"
    wait_for(lambda: answers(lab, address_of(lab, "master")), 20.0, "the other unit's pages")
    lab.power_on(master)
    ready(lab)
    for unit in lab.units:
        wait_for(lambda unit=unit: answers(lab, address_of(lab, unit)), 20.0, f"pages of {unit}")
    return other


def _german(lab: Lab) -> None:
    for unit in lab.units:
        done = lab.qx(unit, "langpack", "install", str(PROJECT / "out/language/de.qxl"))
        done.check_returncode()
    ready(lab)


def _shots(
    browser: Browser, url: str, folder: Path, pages: dict[str, str], *, ending: str = "",
    viewport: Any = DESK, color_scheme: Any = "light",
) -> None:  # fmt: skip
    context, page = come_in(browser, url, viewport, True, color_scheme=color_scheme)
    for path, name in pages.items():
        page.goto(path)
        page.wait_for_timeout(100)
        picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
        width = WIDTH["phone" if viewport is PHONE else "desk"]
        small = picture.convert("RGB").resize(
            (width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS
        )
        small.save(folder / f"{name}{ending}.webp", quality=QUALITY, method=6)
    context.close()


def _name(path: str) -> str:
    return path.strip("/").replace("/", "-") or FIRST


if __name__ == "__main__":
    subprocess.run(["make", "-s", "-C", str(PROJECT), "locale"], check=True)
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else PROJECT / "docs/pages"))
