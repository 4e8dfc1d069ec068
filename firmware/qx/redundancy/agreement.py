# SPDX-License-Identifier: Apache-2.0
"""agreement: what one unit asks the other to do, and is answered: a swap, a hold, new pair parameters.

A part of the session. It carries questions and answers and knows nothing of what they mean: `answers` has, by
name, what this unit does when it is asked. Messages, all tuples:

    ASK     (number, name, arguments: a map)
    ANSWER  (number, result: a map, refusal: a text, empty where it was done)
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..errors import Refusal
from ..tasks import Tasks
from .peer.message import ROLES, BadMessage
from .peer.part import Channel

ASK, ANSWER = ROLES[0], ROLES[1]
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
log = logging.getLogger("qx.redundancy")

ASKED_MOST = 8  # questions of the peer that are answered at once


class Agreement:
    kinds = ROLES

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = dict(answers)
        self._channel: Channel | None = None
        self._number = 0
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._answering = Tasks()

    def offer(self, answers: Mapping[str, Answer]) -> None:
        """More that this unit does when it is asked."""
        self._answers.update(answers)

    @property
    def up(self) -> bool:
        """Is there a peer that can be asked?"""
        return self._channel is not None

    async def ask(self, name: str, arguments: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The peer's answer. Raises Refusal with its reason, or where it does not answer in time."""
        if self._channel is None:
            raise Refusal(f"{name}: there is no session to the other unit; expected it to be up")
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._channel.send(ASK, (number, name, dict(arguments)))
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            raise Refusal(f"{name}: the other unit gave no answer within {seconds:g} s") from None
        finally:
            self._asked.pop(number, None)

    # --- what the session calls ---------------------------------------------------------------------
    def started(self, channel: Channel) -> None:
        self._channel = channel

    def ended(self) -> None:
        self._channel = None
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Refusal("the session to the other unit ended before it answered"))

    def received(self, kind: int, body: Any) -> None:
        match body:
            case (int(number), str(name), dict(arguments)) if kind == ASK:
                if len(self._answering) >= ASKED_MOST:
                    raise BadMessage(f"agreement: more than {ASKED_MOST} questions at once")
                self._answering.spawn(self._answer(number, name, arguments))
            case (int(number), dict(result), str(refusal)) if kind == ANSWER:
                answer = self._asked.get(number)
                if answer is None or answer.done():
                    return  # it came after we gave up waiting
                if refusal:
                    answer.set_exception(Refusal(refusal))
                else:
                    answer.set_result(result)
            case _:
                raise BadMessage(f"agreement: kind {kind}: expected a question or an answer")

    async def _answer(self, number: int, name: str, arguments: dict[str, Any]) -> None:
        result: dict[str, Any] = {}
        refusal = ""
        try:
            if name not in self._answers:
                raise Refusal(f"{name[:40]}: not known to this unit's firmware")
            result = await self._answers[name](arguments)
        except Refusal as error:
            refusal = str(error)
        except Exception:
            log.exception("a question of the other unit could not be answered: %s", name)
            refusal = f"{name}: internal error on the other unit; its log has it"
        if self._channel is not None:
            self._channel.send(ANSWER, (number, result, refusal))
