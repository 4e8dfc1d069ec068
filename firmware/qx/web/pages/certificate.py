# SPDX-License-Identifier: Apache-2.0
"""certificate: the certificate of HTTPS: seen, replaced by the owner's own, made anew (R25)."""

from __future__ import annotations

import asyncio

from microdot import Response

from .. import certificate
from ..site import Site, Visit
from ..stamp import stamp
from ..uploads import uploaded

PATH = "/maintenance/certificate"


def register(site: Site) -> None:
    file = site.unit.paths.pages_pem
    known: dict[object, certificate.Described | None] = {}  # the one, by its file's stamp

    @site.page(PATH)
    async def show(visit: Visit) -> Response:
        of = stamp(file)
        if of not in known:
            known.clear()
            known[of] = await asyncio.to_thread(certificate.described, file)
        return visit.render("certificate.html", found=known[of], most=certificate.PEM_MAX)

    @site.page(f"{PATH}/upload", ("POST",), upload=True, back=PATH)
    async def replace(visit: Visit) -> Response:
        async with uploaded(visit, certificate.PEM_MAX) as sent:
            octets = await asyncio.to_thread(sent.path.read_bytes)
            await asyncio.to_thread(certificate.replaced, file, octets)
        return visit.go(PATH, "success", "The certificate was replaced. New connections have it in a moment.")

    @site.page(PATH, ("POST",))
    async def own(visit: Visit) -> Response:
        await asyncio.to_thread(certificate.removed, file)
        return visit.go(PATH, "success", "This device makes itself a new certificate in a moment.")
