"""What the judge asks of the database, in one statement."""

from dataclasses import dataclass
from typing import Any

LOOK = """
with said as (select * from alert_log where id > %(log)s),
     seen as (select * from alerts where closed_at is null or id in (select alert_id from said))
select json_build_object(
  'log', (select json_agg(json_build_array(id, alert_id, extract(epoch from at), who, what, detail) order by id)
            from said),
  'alerts', (select json_agg(json_build_object('id', id, 'key', case_key, 'state', state, 'owner', claimed_by,
               'due', extract(epoch from due_at), 'rises', extract(epoch from rises_at),
               'priority', priority, 'closed', closed_at is not null,
               'alarms', alarm_count) order by id) from seen),
  'waiting', (select count(*) from alarms_waiting),
  'places', (select json_agg(json_build_array(alarm_id, alert_id)) from alert_alarms
              where alarm_id = any(%(presses)s)),
  'asks', (select json_agg(json_build_object('id', k.id, 'alert', k.alert_id, 'contact', k.contact_id,
               'asked', extract(epoch from k.asked_at), 'by', extract(epoch from k.answer_by), 'answer', k.answer,
               'passed', k.passed_at is not null, 'due', extract(epoch from k.due_at), 'round', k.round,
               'late', k.late_at is not null and k.there_at is null, 'over', k.over_at is not null,
               'stopped', p.state in ('deceased', 'ended'),
               'told', k.over_at is null or exists (select 1 from messages m where m.contact_id = k.contact_id
                        and m.created_at >= k.over_at and m.alert_id = k.alert_id and m.purpose = 'over'))
               order by k.asked_at)
             from seen a join asks k on k.alert_id = a.id join contacts c on c.id = k.contact_id
             join people p on p.id = c.person_id),
  'calls', (select json_agg(json_build_array(alert_id, extract(epoch from end_by)))
              from calls where ended_at is null),
  'ladders', (select json_agg(json_build_array(alert_id, extract(epoch from due_at)))
                from ladders where due_at is not null),
  'visits', (select json_agg(extract(epoch from due_at)) from visits where due_at is not null),
  'services', (select json_agg(extract(epoch from due_at)) from emergency_calls where due_at is not null),
  'messages', (select json_agg(json_build_object('id', idempotency_key, 'alert', alert_id, 'contact', contact_id,
               'state', state, 'purpose', purpose, 'created', extract(epoch from created_at),
               'next', extract(epoch from next_try_at)) order by id)
             from messages where next_try_at is not null or idempotency_key = any(%(unfinished)s)))
"""


@dataclass(slots=True)
class Seen:
    """What the database says now."""

    alerts: dict[int, dict[str, Any]]
    waiting: int
    asks: list[dict[str, Any]]
    calls: list[tuple[int, float]]
    messages: list[dict[str, Any]]
    visits: list[float]
    services: list[float]
    ladders: list[tuple[int, float]]  # alerts about which contacts will be asked, and when

    def due(self) -> list[tuple[str, float]]:
        """What engines will have to do: by which step, and when."""
        rows = self.alerts.values()
        found = [("deadline", row["due"]) for row in rows if row["due"] is not None and not row["closed"]]
        found += [("rise", row["rises"]) for row in rows if row["rises"] is not None]
        found += [("ask", ask["due"]) for ask in self.asks if ask["due"] is not None]
        found += [("ask", at) for _, at in self.ladders]
        found += [("call", end) for _, end in self.calls]
        found += [("visit", due) for due in self.visits]
        found += [("emergency", due) for due in self.services]
        return found + [("message", message["next"]) for message in self.messages if message["next"] is not None]
