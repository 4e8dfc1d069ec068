# SPDX-License-Identifier: Apache-2.0
"""texts: what the pages say where there is no template: each is in the catalogues."""

from __future__ import annotations

FOREIGN = "This form was not sent from a page of this device, or its page is too old. Nothing was changed."
NO_SESSION = "You are not logged in. Nothing was changed."
NOT_AUTHORIZED = "You are not authorized to access this page."
STARTING = "The device is starting. This page comes back by itself."

HTTP = {
    400: "The request could not be read. Expected HTTP/1.0 or HTTP/1.1.",
    404: "There is no such page on this device.",
    405: "This page does not take that method.",
    413: "More was sent than this page takes.",
    500: "This page failed. The device's log says why.",
}
