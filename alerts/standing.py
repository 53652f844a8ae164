"""A person dies, leaves, comes back, or has a unit that does not work: what that stops at once.

Alarms still arrive and still become alerts: somebody pressed. What stops are the service's own doings: messages to
contacts, and what is watched for (alerts/detection reads the state with the plan).
"""

from datetime import datetime
from uuid import UUID

from alerts import information, standing_store, store
from telecare.db import Connection
from telecare.register import person_states
from telecare.register.person_states import Change
from telecare.settings import Settings
from telecare.vocabulary import STOPPED, PersonState


async def change(conn: Connection, settings: Settings, person_id: UUID, new: Change, now: datetime) -> None:
    """Write down how a person stands; from the commit on nobody is written to about somebody who has died or left.

    Contacts who may know are told of a kit fault, and when it is over.

    Raises:
        NotFound: there is no such person.
        Refused: something is missing, or it is not for this member to say.
    """
    async with conn.transaction():
        # Alerts before people, as everywhere: who asks a contact holds the alert, and looks at the person last.
        open_alerts = await standing_store.lock_open_alerts_of(conn, person_id)
        before = await person_states.record(conn, person_id, new, now)
        if new.state in STOPPED:
            await standing_store.stop_writing(conn, person_id, new.state, now)
        elif new.state is PersonState.KIT_FAULT and before is not PersonState.KIT_FAULT:
            await information.tell_of_fault(conn, settings, person_id, now)
        elif before is PersonState.KIT_FAULT and new.state is PersonState.ACTIVE:
            await information.tell_fault_over(conn, settings, person_id, now)
        detail = {"person_state": new.state.value, "text": new.note.strip()}
        for alert_id in open_alerts:
            await store.log(conn, alert_id, now, new.by, "note", detail)
            await store.publish_change(conn, alert_id, now)
