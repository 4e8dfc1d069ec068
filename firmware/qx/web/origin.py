# SPDX-License-Identifier: Apache-2.0
"""origin: does a request that changes something come from a page of this unit? Pure."""

from __future__ import annotations

from collections.abc import Mapping

OWN = ("same-origin", "none")  # Sec-Fetch-Site (W3C Fetch Metadata); none: typed or from a bookmark


def foreign(headers: Mapping[str, str], scheme: str) -> bool:
    """True for one that a page of somewhere else sent. Browsers send Origin with every POST; one without, and
    without Sec-Fetch-Site, is no browser and has no cookie that it was not given."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None and site not in OWN:
        return True
    origin = headers.get("Origin")
    return origin is not None and origin != f"{scheme}://{headers.get('Host')}"
