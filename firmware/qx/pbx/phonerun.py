# SPDX-License-Identifier: Apache-2.0
"""phonerun: carries a plan out, in a process of its own beside Kamailio, which it speaks through.

So a phone sees the registrar's address and port, and retransmissions are Kamailio's. What happens to each
phone is noted with the daemon as it happens: it is live state, so a second takeover goes on with it. Ends
when nothing more is to be done; may be ended at any time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from secrets import token_hex

from .. import ports
from ..control import client
from ..errors import Refusal
from ..paths import Paths
from ..settings.view import Settings
from ..tasks import Tasks
from . import sip
from .kamailio import Service
from .phoneplan import Phone, Plan, State
from .phonetable import Vendor, read_table, vendor_of
from .render import asked

START = 60.0  # seconds for Kamailio to answer
ANSWER = 8.0  # seconds; Kamailio gives up after 5
LOOK = 1.0  # seconds between two looks at calls and registrations
NOTE = 0.25  # seconds between two notes
NOWHERE = ("", "", "")  # URI, user agent and Call-ID of a phone that is not registered


class PhoneRun(asyncio.DatagramProtocol):
    def __init__(self, paths: Paths, settings: Settings, table: Mapping[str, Vendor], policy: str) -> None:
        self._paths, self._settings, self._table = paths, settings, table
        self._service = str(Service.of(settings).addresses[0])
        self._waiting: dict[tuple[str, int], asyncio.Future[sip.Answer]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._noted: dict[str, tuple[str, str]] = {}
        self._agents: dict[str, Vendor | None] = {}
        self._working = Tasks()
        self._learn()  # before the first order: a phone in a call waits
        pace = settings.number("phone_reboot.pace") / 100
        self.plan = Plan(self._phones(), policy, pace, time.time())

    def _phones(self) -> list[Phone]:
        """Of the settings, with what live state has of them."""
        settings = self._settings
        before = client.call(self._paths, "phones")["phones"]
        phones: list[Phone] = []
        for mac in settings.rows("phones"):
            under = f"phones.{mac}"
            extension = settings.text(f"{under}.extension")
            uri, agent, call_id = self._contacts.get(extension, NOWHERE)
            vendor = vendor_of(self._table, settings.text(f"{under}.vendor"), agent)
            self._agents[mac] = vendor
            place = settings.text(f"{under}.location") or settings.text(f"extensions.{extension}.name")
            phone = Phone(
                mac, extension, f"{extension} {place}".strip() or mac, vendor is not None,
                settings.flag(f"{under}.enabled"), uri, call_id,
            )  # fmt: skip
            if mac in before:
                phone.set(State(before[mac]["state"]), before[mac]["at"], before[mac]["detail"])
            phones.append(phone)
        return phones

    def _learn(self) -> None:
        """What live state has of calls and registrations."""
        told = client.call(self._paths, "phones_live")
        self._in_call = frozenset[str](told["in_call"])
        self._contacts: dict[str, tuple[str, str, str]] = told["contacts"]

    # --- the run ------------------------------------------------------------------------------------
    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        await self._service_is_up()
        looking = loop.create_task(self._look())
        try:
            while not self.plan.over(time.time()):
                now = time.time()
                for phone in self.plan.ask(now):
                    self._working.spawn(self._ask(phone))
                if phone := self.plan.restart(now, self._in_call):
                    self._working.spawn(self._restart(phone))
                else:
                    await asyncio.sleep(self.plan.wait(time.time()))
                if looking.done():
                    looking.result()
        finally:
            looking.cancel()
        await self._note(over=True)

    async def _service_is_up(self) -> None:
        deadline = time.monotonic() + START
        while (await self._send("OPTIONS", f"sip:{self._service}", "phones", 0.3)).status != 200:
            if time.monotonic() > deadline:
                raise Refusal(f"Kamailio did not answer within {START:g} s")

    async def _look(self) -> None:
        """Calls and registrations as they become, and notes of what has become of phones."""
        looked = 0.0
        while True:
            await self._note()
            if time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                await asyncio.to_thread(self._learn)
                for phone in self.plan.phones:
                    self.plan.registered(phone, self._call_id(phone), time.time())
            await asyncio.sleep(NOTE)

    async def _note(self, over: bool = False) -> None:
        changed = {
            phone.mac: (str(phone.state), phone.detail, phone.name, phone.at)
            for phone in self.plan.phones
            if self._noted.get(phone.mac) != (str(phone.state), phone.detail)
        }
        if not changed and not over:
            return
        manual = [phone.name for phone in self.plan.manual()] if over else []
        note = {"phones": changed, "over": over, "manual": manual}
        await asyncio.to_thread(client.call, self._paths, "phones_note", note)
        self._noted |= {mac: (state, detail) for mac, (state, detail, _, _) in changed.items()}

    # --- one phone ----------------------------------------------------------------------------------
    async def _ask(self, phone: Phone) -> None:
        answer = await self._send("OPTIONS", phone.uri, phone.extension, ANSWER)
        self.plan.there(phone, answer.status not in (408, 477, 500, 503), time.time())

    async def _restart(self, phone: Phone) -> None:
        """The order, and its challenge answered once with the account's own credentials."""
        vendor = self._agents[phone.mac]
        assert vendor is not None
        phone.seen = self._call_id(phone) or phone.seen
        extra = [f"Event: {vendor.event}", "Subscription-State: terminated"]
        if vendor.content_type:
            extra.append(f"Content-Type: {vendor.content_type}")
        body = vendor.body.format(call_id=phone.seen) if vendor.body else ""
        call_id, tag = f"{token_hex(8)}@{self._service}", token_hex(4)

        async def send(cseq: int, more: tuple[str, ...] = ()) -> sip.Answer:
            return await self._send("NOTIFY", phone.uri, phone.extension, ANSWER, cseq=cseq, call_id=call_id,
                                    tag=tag, extra=(*extra, *more), body=body)  # fmt: skip

        answer = await send(1)
        password = self._settings[f"extensions.{phone.extension}.password"]
        if answer.status in (401, 407) and isinstance(password, str):
            try:
                line = sip.authorization(answer, "NOTIFY", phone.uri, phone.extension, password, token_hex(8))
                answer = await send(2, (line,))
            except sip.BadMessage:
                pass  # it asks for what we do not speak: as refused
        self.plan.told(phone, answer.status, time.time())

    def _call_id(self, phone: Phone) -> str:
        """Of its registration; empty where it has none."""
        return self._contacts.get(phone.extension, NOWHERE)[2]

    # --- the wire -----------------------------------------------------------------------------------
    async def _send(
        self, method: str, uri: str, user: str, seconds: float, *, cseq: int = 1, call_id: str = "",
        tag: str = "", extra: tuple[str, ...] = (), body: str = "",
    ) -> sip.Answer:  # fmt: skip
        """The final answer; 408 where there is none in that time."""
        assert self._transport is not None
        port = self._transport.get_extra_info("sockname")[1]
        call_id = call_id or f"{token_hex(8)}@{self._service}"
        request = sip.Request(
            method, uri, user, self._service, f"127.0.0.1:{port}", token_hex(8), tag or token_hex(4), call_id,
            cseq, extra, body,
        )  # fmt: skip
        answered = self._waiting[call_id, cseq] = asyncio.get_running_loop().create_future()
        self._transport.sendto(request.octets(), ("127.0.0.1", ports.PHONE_RUN))
        try:
            async with asyncio.timeout(seconds):
                return await answered
        except TimeoutError:
            return sip.Answer(408, call_id, cseq)
        finally:
            self._waiting.pop((call_id, cseq), None)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - of the protocol
        try:
            answer = sip.answer(data)
        except sip.BadMessage:
            return  # a request, or nothing of ours
        waiting = self._waiting.get((answer.call_id, answer.cseq))
        if answer.status >= 200 and waiting is not None and not waiting.done():
            waiting.set_result(answer)


def run(paths: Paths, policy: str) -> None:
    """Raises Refusal where no daemon or no Kamailio answers."""
    settings, _ = asked(paths)
    found = PhoneRun(paths, settings, read_table(paths), policy or settings.text("phone_reboot.policy"))
    asyncio.run(found.run())
