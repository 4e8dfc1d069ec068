# SPDX-License-Identifier: Apache-2.0
"""`python -m fuzz.explore TARGET SECONDS FOLDER`: one Python target under Atheris for that long.

Atheris is libFuzzer guided by the byte code that is reached. FOLDER takes what it finds, beside the corpus.
An input that does harm becomes the file FOLDER-crash-… and ends it with an exit code that is not 0.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qx"]):
    from . import targets


def main(arguments: list[str]) -> int:
    if len(arguments) != 4 or arguments[1] not in targets.TARGETS:
        print(f"usage: explore TARGET SECONDS FOLDER; TARGET: {', '.join(targets.TARGETS)}", file=sys.stderr)
        return 2
    _, name, seconds, folder = arguments
    logging.disable()  # what the unit under test says of each bad request
    tempfile.tempdir = f"{folder}.tmp"  # libFuzzer ends the process without Python's own end
    for one in (folder, tempfile.tempdir):
        Path(one).mkdir(parents=True, exist_ok=True)
    given = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=0",
             f"-artifact_prefix={folder}-", folder, str(targets.CORPUS / name)]  # fmt: skip
    atheris.Setup([arguments[0], *given], lambda octets: targets.refused_or_read(name, octets))
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
