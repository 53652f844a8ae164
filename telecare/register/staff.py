"""Staff: who works here, their passwords and their programs' tokens."""

import asyncio
import functools
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from telecare.db import Connection
from telecare.errors import NotFound, Refused
from telecare.ids import uuid7
from telecare.vocabulary import Role

# argon2id with the second recommended option of RFC 9106 (64 MiB, 3 passes), the library's default.
_HASHER: Final = PasswordHash((Argon2Hasher(),))


@functools.cache
def _nobodys_hash() -> str:
    """What a login under an unknown name is checked against, so that its time tells nothing."""
    return _HASHER.hash(secrets.token_hex())


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff."""

    id: UUID
    username: str
    display_name: str
    role: Role
    council_id: UUID | None = None  # whose figures a commissioner sees; None: every council's


async def add_member(
    conn: Connection,
    username: str,
    display_name: str,
    role: Role,
    password: str,
    *,
    demo: bool = False,
    council_id: UUID | None = None,
) -> Member:
    """Add a member of staff. A commissioner may belong to a council.

    Raises:
        Refused: the name is taken, or somebody else than a commissioner is to belong to a council.
    """
    if council_id is not None and role is not Role.COMMISSIONER:
        raise Refused("only commissioners belong to a council")
    member = Member(uuid7(), username, display_name, role, council_id)
    hashed = await asyncio.to_thread(_HASHER.hash, password)
    cursor = await conn.execute(
        """insert into staff (id, username, display_name, role, password_hash, demo, council_id)
           values (%s, %s, %s, %s, %s, %s, %s) on conflict (username) do nothing""",
        (member.id, username, display_name, role.value, hashed, demo, council_id),
    )
    if cursor.rowcount == 0:
        raise Refused(f"the user name {username} is taken")
    return member


async def log_in(conn: Connection, username: str, password: str) -> Member | None:
    """The member with this name and password, or None. Takes as long for a name that nobody has."""
    row = await (
        await conn.execute(
            """select id, username, display_name, role, password_hash, council_id from staff
                where username = %s and active""",
            (username,),
        )
    ).fetchone()
    if (
        not await asyncio.to_thread(_HASHER.verify, password, row[4] if row else await asyncio.to_thread(_nobodys_hash))
        or row is None
    ):
        return None
    return Member(row[0], row[1], row[2], Role(row[3]), row[5])


async def member(conn: Connection, username: str) -> Member:
    """The member of staff with this name.

    Raises:
        NotFound: there is none who is active.
    """
    cursor = await conn.execute(
        "select id, username, display_name, role, council_id from staff where username = %s and active", (username,)
    )
    row = await cursor.fetchone()
    if row is None:
        raise NotFound(f"no user {username!r}")
    return Member(row[0], row[1], row[2], Role(row[3]), row[4])


async def new_token(conn: Connection, username: str, now: datetime) -> str:
    """A token for a member's programs. It is known only to the caller: the register keeps its hash.

    Raises:
        NotFound: there is no such member.
    """
    owner = await member(conn, username)
    token = "tc_" + secrets.token_urlsafe(32)
    await conn.execute(
        "insert into staff_tokens (token_hash, staff_id, created_at) values (%s, %s, %s)",
        (token_digest(token), owner.id, now),
    )
    return token


async def member_with_token(conn: Connection, token: str) -> Member | None:
    """Whose token this is, or None."""
    cursor = await conn.execute(
        """select s.id, s.username, s.display_name, s.role, s.council_id
             from staff_tokens t join staff s on s.id = t.staff_id
            where t.token_hash = %s and t.revoked_at is null and s.active""",
        (token_digest(token),),
    )
    row = await cursor.fetchone()
    return None if row is None else Member(row[0], row[1], row[2], Role(row[3]), row[4])


def token_digest(token: str) -> bytes:
    """What the database keeps of a token. Tokens are random, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


async def add_demo_staff(conn: Connection, password: str) -> None:
    """One demo user of each role, named after the role, where they are missing."""
    rows = await (await conn.execute("select username from staff")).fetchall()
    present = {row[0] for row in rows}
    for role in Role:
        if role.value not in present:
            await add_member(conn, role.value, f"Demo {role.value}", role, password, demo=True)
