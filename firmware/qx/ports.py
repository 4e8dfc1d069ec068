# SPDX-License-Identifier: Apache-2.0
"""ports: every port that a unit opens for itself, in one place, so that no number is given twice.

Not here, because they are somebody's to choose: those of the pages (board.toml), `call.sip_port` and
`redundancy.backup_gui_port`; settings/rules/ports.py keeps these apart. Data alone.
"""

from __future__ import annotations

# Between the Virtual IP Addresses of the two units.
HELLO = 7778  # UDP: the engine's, QX_HELLO_PORT in cext/hello.h
SESSION = 7779  # TCP
PAIRING = 7780  # TCP: the exchange that pins the certificates
PASSAGE = 7781  # TCP: the Backup's pages, for the Master
# On loopback.
PHONE_RUN = 7782  # UDP: what the phone run sends through Kamailio
REPORTS = 7783  # UDP: what Kamailio tells of registrations and calls
