"""The tables of the outbox, and how a file of an earlier version becomes one of this."""

from typing import Final

VERSION: Final = 3
_ALARMS: Final = """create table alarms (
        seq integer primary key,
        id text not null unique,
        payload blob not null,
        kept_at integer not null,
        urgent integer not null default 1 check (urgent in (0, 1)),
        fallback_at integer,
        hook_tries integer not null default 0,
        hook_next_at integer,
        hook_taken_at integer,
        check (fallback_at is not null or hook_tries = 0))"""
# What became of the alarms that have had their receipt.
_LEDGER: Final = """create table ledger (
        seq integer primary key,
        id text not null,
        kept_at integer not null,
        receipt_at integer not null,
        status text not null check (status in ('stored', 'rejected')),
        path text not null check (path in ('first', 'second')))"""
_LEDGER_INDEX: Final = "create index ledger_receipt on ledger (receipt_at)"
_WORDS: Final = "create table words (name text primary key, value text not null) without rowid"
# Falls that the wearer can still take back.
_PREALARMS: Final = "create table prealarms (id text primary key, fields blob not null, kept_at integer not null)"
# How many impacts came to nothing since the last summary.
_NOTHINGS: Final = """create table nothings (
        device text not null, what text not null, count integer not null, primary key (device, what)) without rowid"""
# Times are milliseconds since 1970.
_SCHEMA: Final = (
    _ALARMS,
    # Which alarm a device's ref became. `done_at` is when that alarm left the outbox.
    "create table refs (key text primary key, id text not null, done_at integer) without rowid",
    "create index refs_id on refs (id)",
    "create index refs_done on refs (done_at) where done_at is not null",
    """create table readings (
        n integer primary key,
        device text not null,
        measure text not null,
        at integer not null,
        value real not null)""",
    """create table commands (
        id text primary key,
        result blob not null,
        at integer not null,
        answered integer not null) without rowid""",
    "create table numbers (name text primary key, value numeric not null) without rowid",
    _LEDGER,
    _LEDGER_INDEX,
    _WORDS,
    _PREALARMS,
    _NOTHINGS,
)
# Version 1 wrote down when each alarm was sent; now a connection remembers that.
_FROM_1: Final = (
    "alter table alarms rename to alarms_1",
    _ALARMS,
    """insert into alarms (seq, id, payload, kept_at, fallback_at)
       select seq, id, payload, kept_at, fallback_at from alarms_1""",
    "drop table alarms_1",
    _LEDGER,
    _LEDGER_INDEX,
    _WORDS,
)
_FROM_2: Final = (_PREALARMS, _NOTHINGS)
STEPS: Final = {0: _SCHEMA, 1: (*_FROM_1, *_FROM_2), 2: _FROM_2}  # from each version, all that is missing
