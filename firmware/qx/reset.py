# SPDX-License-Identifier: Apache-2.0
"""reset: back to the state in which the unit left the factory: settings, keys, voice data and events go, the
firmware, its identity and its board stay.

A wish is noted on flash (data/reset) and carried out at the next start, before anything is opened: on a unit
by its boot scripts, which format the partition, anywhere else here. Power may go at any instant: the note
stays until a fresh data/qx is in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import durable
from .errors import Refusal

if TYPE_CHECKING:
    from .paths import Paths

EVENT = ("info", "Factory reset done", "this unit is as it left the factory", "System")


def wish(paths: Paths) -> None:
    """Makes the wish durable. Waits for flash. Raises Refusal where flash refuses."""
    try:
        durable.replace(paths.reset, b"")
    except OSError as error:
        raise Refusal(f"{paths.reset}: {error.strerror}; expected a flash that can be written") from None


def unwish(paths: Paths) -> None:
    """What the reset waited for did not come about."""
    paths.reset.unlink(missing_ok=True)


def carry_out(paths: Paths) -> bool:
    """Does what was wished; false where nothing was. Raises Refusal for a unit without an identity, which has
    nobody to be afterwards: nothing is touched then."""
    if not paths.reset.exists():
        return False
    # Imported here: shutil brings libraries of compression, which a daemon has no use for.
    import shutil  # noqa: PLC0415

    from .identity import read_identity, read_identity_in  # noqa: PLC0415
    from .provision import stage  # noqa: PLC0415

    data, old = paths.data_qx, paths.data_qx.with_name("qx.old")
    # Power may have gone when the old one was away and the fresh one not yet there.
    identity = read_identity(paths) if data.exists() else read_identity_in(old / paths.identity.name)
    fresh = stage(paths, identity)
    if data.exists():
        shutil.rmtree(old, ignore_errors=True)
        data.rename(old)
    fresh.rename(data)
    durable.flush(data.parent)
    shutil.rmtree(old, ignore_errors=True)
    paths.reset.unlink()
    durable.flush(data.parent)
    return True
