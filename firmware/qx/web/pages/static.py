# SPDX-License-Identifier: Apache-2.0
"""static: the style sheet and the script. Both are public; no path of a request names a file."""

from __future__ import annotations

import pkgutil
from hashlib import sha256

from microdot import Response

from ..site import Site, Visit

FILES = {"style.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}


def register(site: Site) -> None:
    for name, kind in FILES.items():
        _serve(site, name, f"{kind}; charset=UTF-8")


def _serve(site: Site, name: str, kind: str) -> None:
    octets = pkgutil.get_data("qx.web", f"static/{name}") or b""
    tag = f'"{sha256(octets).hexdigest()[:16]}"'
    headers = {"Content-Type": kind, "Cache-Control": "max-age=600", "ETag": tag}

    @site.page(f"/static/{name}", who="anyone")
    async def file(visit: Visit) -> Response:
        if visit.request.headers.get("If-None-Match") == tag:
            return Response(b"", 304, dict(headers))
        return Response(octets, 200, dict(headers))
