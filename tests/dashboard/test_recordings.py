"""Recordings of movement: what the person says counts, and only what they allow leaves the database."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet
import pytest

from alerts import actions
from firmware_sim.falls.labelled import labels_in, read_labels
from telecare.db import database_now
from telecare.vocabulary import Cause, ConfirmedBy, Outcome
from tests.dashboard.fall_evidence import fall
from tests.dashboard.world import World, csrf_of
from tests.helpers import one


async def says(served: World, hub: str, given: str = "yes", said: str = "On the phone") -> int:
    person = served.people[hub]
    async with served.browser_session("operator") as browser:
        token = {"csrf_token": await csrf_of(browser, f"/people/{person}")}
        answer = await browser.post(f"/people/{person}/recordings", data=token | {"given": given, "said": said})
    return answer.status_code


async def coded(served: World, hub: str, cause: Cause, kind: str = "fall", evidence: Any = None) -> int:
    number = await served.alert(hub, kind, evidence=evidence or fall())
    await served.claim(number)
    async with served.pool.connection() as conn:
        await actions.close(
            conn, served.settings, number, "operator", await database_now(conn), cause=cause,
            outcomes=[Outcome.REASSURED], confirmed_by=ConfirmedBy.PERSON, how="She told me",
        )  # fmt: skip
    return number


def export(served: World, out: Path) -> dict[str, Any]:
    environment = os.environ | {"TELECARE_DATABASE_URL": served.settings.database}
    command = [sys.executable, "-m", "telecare", "falls", "export-labels", "--out", str(out), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def test_what_the_person_says_is_written_down_and_kept(served: World) -> None:
    person = served.people["hub-1"]
    async with served.browser_session("operator") as browser:
        assert "Not asked yet" in (await browser.get(f"/people/{person}")).text
    assert await says(served, "hub-1") == 303
    async with served.browser_session("operator") as browser:
        assert "<strong>Yes</strong>" in (await browser.get(f"/people/{person}")).text
    assert await says(served, "hub-1", "no", "Changed her mind") == 303
    async with served.browser_session("supervisor") as browser:
        text = (await browser.get(f"/people/{person}")).text
    assert "Changed her mind; operator" in text
    assert await one(served.pool, "select count(*) from recording_consents") == 2


@pytest.mark.parametrize(("given", "said"), [("yes", ""), ("yes", " "), ("maybe", "x"), ("", "x"), ("no", "x" * 1001)])
async def test_what_is_not_said_is_not_written_down(served: World, given: str, said: str) -> None:
    assert await says(served, "hub-1", given, said) == 422
    assert await one(served.pool, "select count(*) from recording_consents") == 0


async def test_a_consent_is_never_changed(served: World) -> None:
    await says(served, "hub-1")
    for change in ("update recording_consents set given = false", "delete from recording_consents",
                   "truncate recording_consents"):  # fmt: skip
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            await one(served.pool, change)


async def test_only_windows_of_those_who_allow_it_leave_and_without_names(served: World, tmp_path: Path) -> None:
    await served.add_home("hub-2", "Ada Birch")
    await served.add_home("hub-3", "Ravi Patel")
    await says(served, "hub-1")
    await says(served, "hub-2")
    await says(served, "hub-2", "no", "Rather not")
    for hub in ("hub-1", "hub-2", "hub-3"):
        await coded(served, hub, Cause.ACCIDENTAL)
    await coded(served, "hub-1", Cause.FALL_UP, "button", {"blow": fall(outcome="no-fall", worn_at="neck")})
    await coded(served, "hub-1", Cause.OTHER_ILLNESS)
    await served.alert("hub-1", "fall", evidence=fall())  # still open
    out = tmp_path / "labels.parquet"
    assert export(served, out) == {
        "file": str(out), "people": 1, "consents": 1,
        "windows": {"confirmed-fall": 0, "missed-fall": 1, "false-alarm": 1, "dismissed": 0},
    }  # fmt: skip
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [out]
    rows = pyarrow.parquet.read_table(out).to_pylist()
    assert [(row["is_fall"], row["source"], row["position"]) for row in rows] == [
        (False, "false-alarm", "unknown"), (True, "missed-fall", "neck")
    ]  # fmt: skip
    assert len({row["subject"] for row in rows}) == 1
    written = json.dumps(rows)
    for secret in ("Mary", "Ashworth", str(served.people["hub-1"]), "hub-1", "1941", "Mill Lane", "2026"):
        assert secret not in written, secret
    (first, second) = read_labels(labels_in(tmp_path))
    assert (first.is_fall, second.is_fall, second.window.shape) == (False, True, (150, 4))


async def test_another_export_has_other_words_for_people_and_nobody_who_withdrew(served: World, tmp_path: Path) -> None:
    await says(served, "hub-1")
    await coded(served, "hub-1", Cause.ACCIDENTAL)
    out = tmp_path / "labels.parquet"
    subjects = []
    for _ in range(2):
        export(served, out)
        subjects += pyarrow.parquet.read_table(out)["subject"].to_pylist()
    assert len(set(subjects)) == 2
    await says(served, "hub-1", "no", "By letter")
    assert export(served, out)["people"] == 0
    assert pyarrow.parquet.read_table(out).num_rows == 0
