# SPDX-License-Identifier: Apache-2.0
"""web: how the pages are served."""

from __future__ import annotations

from ..setting import Setting
from ..values import Flag

SETTINGS = (
    Setting("web.redirect_https", Flag(), False, "Redirect to HTTPS",
            "Pages asked for over HTTP are given over HTTPS instead, with this device's own certificate. "
            "Browsers warn of it until it is replaced.", "shared"),
)  # fmt: skip
