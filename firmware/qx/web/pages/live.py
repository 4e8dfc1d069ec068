# SPDX-License-Identifier: Apache-2.0
"""live: the stream that tells a page that there is news."""

from __future__ import annotations

from typing import Any

from microdot import Response

from ..news import News
from ..site import Site, Visit


def register(site: Site) -> None:
    news = News(site.unit)

    @site.page("/live")
    async def live(visit: Visit) -> Response:
        if news.full or visit.stream is None:
            return Response(b"", 204)  # the browser asks no more
        stream: Any = news.told(visit.stream.left())  # microdot takes it; its types do not say so
        return Response(stream, 200, {"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
