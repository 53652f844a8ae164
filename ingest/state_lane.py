"""The lane of hubs' states and results of commands: apart from alarms, which 9,000 hubs that come back at once must not
hold up, and apart from readings, which must not make a hub look silent.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ingest import store
from ingest.lane import Lane
from ingest.mqtt_reader import Message
from telecare.db import Connection
from telecare.errors import UnreadableMessage
from telecare.wire import CommandResult, HubState, Receipt, decode, read_state, split_topic

STATE_TOPICS: Final = ("telecare/v1/+/state", "telecare/v1/+/result")
STATES_PER_COMMIT: Final = 1000


class StateLane(Lane):
    """Hubs' states, wills, and results of commands."""

    name = "ingest-states"

    async def take(self) -> list[Message]:
        return await self.inbox.take(STATES_PER_COMMIT)

    async def keep(self, conn: Connection, messages: Sequence[Message], now: datetime) -> list[tuple[str, Receipt]]:
        states: list[tuple[Message, str, HubState]] = []
        for message in messages:
            try:
                hub, channel = split_topic(message.topic)
                if channel == "state":
                    states.append((message, hub, read_state(message.payload)))
                else:
                    await self._result(conn, hub, message, now)
            except UnreadableMessage as problem:
                await store.keep_unreadable(conn, None, message.topic, message.payload, str(problem), now)
        strangers = await store.save_states(conn, [(hub, state, m.retained) for m, hub, state in states], now)
        for message, hub, _ in states if strangers else ():
            if hub in strangers:
                why = "a state of a hub that is not enrolled"
                await store.keep_unreadable(conn, None, message.topic, message.payload, why, now)
        return []

    async def _result(self, conn: Connection, hub: str, message: Message, now: datetime) -> None:
        result = decode(message.payload, CommandResult)
        if "\0" in result.id + result.detail:
            raise UnreadableMessage("a NUL in the text")
        if not await store.save_result(conn, hub, result, now):
            raise UnreadableMessage("a result of a hub that is not enrolled")
