"""`telecare init`: from an empty server to one on which the services can be started. Run again, it changes nothing."""

import os
import secrets
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from psycopg import AsyncConnection

from telecare.deploy import certificates, files
from telecare.deploy.files import Plan
from telecare.embedded.broker import find_mosquitto
from telecare.enrolment import publish_accounts
from telecare.errors import Refused
from telecare.https import check_certificate
from telecare.ids import uuid7
from telecare.migrate import migrate
from telecare.mqtt_accounts import SERVICE_LOGIN, hash_secret, read_password_file, write_password_file
from telecare.register.staff import add_member
from telecare.vocabulary import Role

PASSWORD_LEAST: Final = 10  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the council's engineer has said."""

    folder: Path
    council: str
    admin: str
    admin_name: str
    admin_password: str = field(repr=False)
    database_url: str = field(repr=False)
    host_name: str  # by which hubs and people reach this machine
    listen: str
    port: int
    mqtt_port: int
    service_name: str
    service_phone: str
    user: str
    program: Path
    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    force: bool = False


@dataclass(slots=True)
class Report:
    """What was done, a line each."""

    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)


async def initialise(answers: Answers) -> Report:
    """Write the configuration, bring the database up to date, make the council and the first administrator.

    Raises:
        Refused: an answer cannot be used.
        CannotStart: the database is out of reach, or a certificate cannot be used.
    """
    _check(answers)
    report = Report()
    answers.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    plan = _plan(answers, report)
    password = _service_password(plan)
    _write(plan.env_file, files.environment(_settings(answers, plan, password)), 0o640, answers, report)
    _write_broker(plan, password, answers, report)
    for name, text in files.units(plan).items():
        _write(answers.folder / "systemd" / name, text, 0o644, answers, report)
    for folder in (plan.data_dir, plan.backups):
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    applied = migrate(answers.database_url)
    report.done.append(f"database: {len(applied)} migrations applied" if applied else "database: up to date")
    async with await AsyncConnection.connect(answers.database_url, connect_timeout=10) as conn:
        await _council(conn, answers, report)
        await publish_accounts(conn, plan.broker / "passwords")
    return report


def _check(answers: Answers) -> None:
    for name in ("council", "admin", "admin_name", "host_name", "service_name", "service_phone"):
        if not str(getattr(answers, name)).strip():
            raise Refused(f"{name.replace('_', ' ')}: must not be empty")
    if len(answers.admin_password) < PASSWORD_LEAST:
        raise Refused(f"the administrator's password must have at least {PASSWORD_LEAST} characters")
    if urlsplit(answers.database_url).scheme not in ("postgresql", "postgres"):
        raise Refused("the database's URL must begin with postgresql://")
    if (answers.certificate is None) != (answers.key is None):
        raise Refused("give the certificate and its key, or neither")


def _plan(answers: Answers, report: Report) -> Plan:
    certificate, key, ca = answers.certificate, answers.key, answers.ca
    now = datetime.now(UTC)
    if certificate is None or key is None:
        folder = answers.folder / "certificates"
        if (folder / "server.crt").exists():
            report.kept.append(str(folder))
            made = certificates.Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
        else:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            made = certificates.make(folder, answers.host_name, now)
            report.written.append(f"{folder} (an authority of your own: hubs need {made.ca.name}; browsers will warn)")
        certificate, key, ca = made.certificate, made.key, made.ca
    check_certificate(certificate, key, now)
    folder = answers.folder.resolve()
    return Plan(
        folder=folder,
        program=answers.program,
        user=answers.user,
        data_dir=folder / "data",
        backups=folder / "backups",
        mosquitto=find_mosquitto(None) or Path("/usr/sbin/mosquitto"),
        mqtt_port=answers.mqtt_port,
        certificate=certificate.resolve(),
        key=key.resolve(),
        ca=ca.resolve() if ca else None,
    )


def _service_password(plan: Plan) -> str:
    """The service's own login at the broker: the one that is in use, or a new one."""
    try:
        for line in plan.env_file.read_text(encoding="utf-8").splitlines():
            if line.startswith("TELECARE_MQTT_URL="):
                found = urlsplit(line.split("=", 1)[1].strip("'")).password
                if found:
                    return found
    except FileNotFoundError:
        pass
    return secrets.token_urlsafe(24)


def _settings(answers: Answers, plan: Plan, password: str) -> dict[str, str]:
    mqtt = f"{answers.host_name}:{answers.mqtt_port}"
    values = {
        "database_url": answers.database_url,
        "mqtt_url": f"mqtts://{SERVICE_LOGIN}:{quote(password)}@{mqtt}",
        "hub_mqtt_url": f"mqtts://{mqtt}",
        "mqtt_password_file": str(plan.broker / "passwords"),
        "data_dir": str(plan.data_dir),
        "host": answers.listen,
        "port": str(answers.port),
        "https_certificate": str(plan.certificate),
        "https_key": str(plan.key),
        "public_url": f"https://{answers.host_name}" + ("" if answers.port == 443 else f":{answers.port}"),
        "service_name": answers.service_name,
        "service_phone": answers.service_phone,
        "backups": str(plan.backups),
    }
    return values | ({"mqtt_ca_file": str(plan.ca)} if plan.ca else {})


def _write_broker(plan: Plan, password: str, answers: Answers, report: Report) -> None:
    plan.broker.mkdir(mode=0o750, exist_ok=True)
    _write(plan.broker / "mosquitto.conf", files.mosquitto(plan), 0o644, answers, report)
    _write(plan.broker / "acl", files.acl(), 0o644, answers, report)
    accounts = read_password_file(plan.broker / "passwords")
    if SERVICE_LOGIN not in accounts or answers.force:
        write_password_file(plan.broker / "passwords", accounts | {SERVICE_LOGIN: hash_secret(password)})
        report.written.append(str(plan.broker / "passwords"))


def _write(path: Path, text: str, mode: int, answers: Answers, report: Report) -> None:
    """Write a file that is not there; with `force` replace one that differs, and keep it under a dated name."""
    if path.exists():
        if path.read_text(encoding="utf-8") == text or not answers.force:
            report.kept.append(str(path))
            return
        shutil.copy2(path, path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S}"))
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    path.chmod(mode)
    report.written.append(str(path))


async def _council(conn: AsyncConnection, answers: Answers, report: Report) -> None:
    made = await conn.execute(
        "insert into councils (id, name) values (%s, %s) on conflict (name) do nothing", (uuid7(), answers.council)
    )
    report.done.append(f"council: {answers.council}{'' if made.rowcount else ' (was there)'}")
    row = await (await conn.execute("select 1 from staff where username = %s", (answers.admin,))).fetchone()
    if row is not None:
        report.done.append(f"administrator: {answers.admin} (was there; the password is as it was)")
        return
    await add_member(conn, answers.admin, answers.admin_name, Role.ADMIN, answers.admin_password)
    report.done.append(f"administrator: {answers.admin}")
