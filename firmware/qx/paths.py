# SPDX-License-Identifier: Apache-2.0
"""paths: every path the product touches, under one root (`/` on a unit, a folder in tests and lab).

May be imported by everything and touches nothing itself. A plain class with pathlib imported at first use,
because `qx status` starts through here and dataclasses and pathlib cost more than all the rest of it.
"""

from __future__ import annotations

IDENTITY = "data/qx/identity.toml"
CONTROL_SOCKET = "run/qx/control.sock"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path


class Paths:
    """The product's files under `root`. Attributes are pathlib Paths; `text()` gives one as str, cheaply."""

    __slots__ = ("_root",)

    def __init__(self, root: str | PathLike[str] = "/") -> None:
        self._root = root if isinstance(root, str) else root.__fspath__()

    def __repr__(self) -> str:
        return f"Paths({self._root!r})"

    def text(self, relative: str) -> str:
        """A path below the root as text, for callers that cannot afford pathlib."""
        return f"{self._root.rstrip('/')}/{relative}"

    def _path(self, relative: str) -> Path:
        from pathlib import Path  # noqa: PLC0415 - see above

        return Path(self._root) / relative

    @property
    def root(self) -> Path:
        return self._path("")

    # --- etc/qx: what the image and the factory step lay down ---------------------------------------
    @property
    def etc_qx(self) -> Path:
        return self._path("etc/qx")

    @property
    def board_toml(self) -> Path:
        return self._path("etc/qx/board.toml")

    @property
    def master_d(self) -> Path:
        """Scripts of the applications (`start|stop|status`), in order of their number (R20)."""
        return self._path("etc/qx/master.d")

    @property
    def signers(self) -> Path:
        """Public keys of the vendor, whose signatures count."""
        return self._path("etc/qx/signers.toml")

    @property
    def firmware_signer(self) -> Path:
        """The vendor's certificate, whose signature on firmware counts."""
        return self._path("etc/qx/firmware.pem")

    @property
    def resolv_conf(self) -> Path:
        """Written by the Master: DNS moves with the service addresses."""
        return self._path("etc/resolv.conf")

    @property
    def reset(self) -> Path:
        """A factory reset is wished; beside data/qx, where boot scripts look before they mount anything."""
        return self._path("data/reset")

    # --- data/qx: everything that must last ---------------------------------------------------------
    @property
    def data_qx(self) -> Path:
        return self._path("data/qx")

    @property
    def identity(self) -> Path:
        """Serial and model. Its presence is what makes a root provisioned."""
        return self._path(IDENTITY)

    @property
    def settings_db(self) -> Path:
        return self._path("data/qx/settings.db")

    @property
    def in_step(self) -> Path:
        """Empty; its time is when both units were last known to have the same settings."""
        return self._path("data/qx/in-step")

    @property
    def events_log(self) -> Path:
        return self._path("data/qx/events.msgpack")

    @property
    def trust(self) -> Path:
        """Feature keys, what names the peer, the unit's certificate: its own, never synchronised."""
        return self._path("data/qx/trust")

    @property
    def language_pack(self) -> Path:
        """The unit's own, never synchronised."""
        return self._path("data/qx/language.pack")

    @property
    def conflicts(self) -> Path:
        """What this unit had and gave up for the other's settings (R10)."""
        return self._path("data/qx/conflicts")

    @property
    def voice(self) -> Path:
        """Recordings, greetings, prompts and voicemail."""
        return self._path("data/qx/voice")

    @property
    def upgrade(self) -> Path:
        """What is known of the firmware slots, firmware that is uploaded, settings kept for the other
        slot."""
        return self._path("data/qx/upgrade")

    @property
    def uploads(self) -> Path:
        """Files that come through a page, until they are used."""
        return self._path("data/qx/upload")

    @property
    def pages_pem(self) -> Path:
        """Key and certificate of HTTPS: the unit's own, never synchronised."""
        return self._path("data/qx/web/pages.pem")

    @property
    def slots(self) -> Path:
        """The lab's flash outside the file system: what partitions are on a unit."""
        return self._path("slots")

    # --- run/qx: nothing that must last -------------------------------------------------------------
    @property
    def run_qx(self) -> Path:
        return self._path("run/qx")

    @property
    def control_socket(self) -> Path:
        return self._path(CONTROL_SOCKET)

    @property
    def kamailio(self) -> Path:
        """Its configuration, its tables, its control socket."""
        return self._path("run/qx/kamailio")

    @property
    def presence(self) -> Path:
        """When somebody pressed the unit's button, as an uptime in seconds."""
        return self._path("run/qx/presence")

    @property
    def data_lost(self) -> Path:
        """Made by the start scripts of a unit whose data partition is gone: its data are in memory."""
        return self._path("run/qx/data-lost")

    @property
    def guardian_pid(self) -> Path:
        return self._path("run/qx/guardian.pid")

    @property
    def daemon_pid(self) -> Path:
        return self._path("run/qx/daemon.pid")
