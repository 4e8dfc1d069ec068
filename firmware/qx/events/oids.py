# SPDX-License-Identifier: Apache-2.0
"""oids: the numbers of our MIB and of the RFCs' VRRP MIBs (RFC 2787, RFC 6527). Pure data.

A number that was given is never given to anything else: managers have them in their rules.
"""

from __future__ import annotations

# 32473 is IANA's enterprise number for documentation (RFC 5612). The vendor's own takes its place, here and
# nowhere else, before the first unit is sold.
ENTERPRISE = 32473
QX = f"1.3.6.1.4.1.{ENTERPRISE}.1"
NOTIFICATIONS = f"{QX}.0"
PAIR = f"{QX}.1.1"
EVENT_ENTRY = f"{QX}.1.2.1"
SAID = f"{QX}.1.3"

# By the key in `events.<event>`.
EVENTS = {
    "backup-up-active": 1,
    "backup-up-passive": 2,
    "backup-down": 3,
    "takeover": 4,
    "swap": 5,
    "fault": 6,
    "pair-mismatch": 7,
    "address-conflict": 8,
    "link": 9,
    "sync-stale": 10,
    "sync-conflict": 11,
    "deletion-held": 12,
    "settings-restored": 13,
    "storage": 14,
    "application-failure": 15,
    "phones-manual": 16,
    "login-lockout": 17,
    "upgrade": 18,
    "licence": 19,
    "role": 20,
    "network": 21,
    "device": 22,
    "sync-stopped": 23,
    "security": 24,
    "other": 25,
}

# What a notification says, below SAID: (name, number).
SAYS = {"Id": 1, "Unit": 2, "Severity": 3, "Source": 4, "Name": 5, "Description": 6, "Time": 7}

# ItuPerceivedSeverity of RFC 3877: cleared 1, indeterminate 2, critical 3, major 4, minor 5, warning 6.
SEVERITY = {"success": 1, "info": 2, "critical": 3, "warning": 6}

VRRP2 = "1.3.6.1.2.1.68"
VRRP2_NEW_MASTER = f"{VRRP2}.0.1"
VRRP2_MASTER = f"{VRRP2}.1.3.1.7"  # vrrpOperMasterIpAddr.ifIndex.vrid
VRRP3 = "1.3.6.1.2.1.207"
VRRP3_NEW_MASTER = f"{VRRP3}.0.1"
VRRP3_MASTER = f"{VRRP3}.1.1.1.1.3"  # vrrpv3OperationsMasterIpAddr.ifIndex.vrid.addressType
VRRP3_REASON = f"{VRRP3}.1.2.5.1.2"  # vrrpv3StatisticsNewMasterReason, the same index


def notification(key: str) -> str:
    return f"{NOTIFICATIONS}.{EVENTS[key]}"
