"""Settings: read once, typed, from `TELECARE_…` variables; then from the file that `telecare init` has written; what a
running `telecare up` chose fills the rest.

`telecare settings` lists them all. A wrong one stops the start with one clear line.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from telecare.errors import CannotStart
from telecare.push import PUSH_HOSTS, read_hosts

RUNTIME_FILE: Final = "runtime.json"  # in the data directory: where the running system is (mode 0600)

ENV_FILE_VARIABLE: Final = "TELECARE_ENV_FILE"
DEFAULT_ENV_FILE: Final = Path("/etc/telecare/telecare.env")

Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Every setting of the service. Durations are in seconds, sizes as named."""

    model_config = SettingsConfigDict(env_prefix="TELECARE_", frozen=True, extra="ignore")

    data_dir: Path = Field(
        Path("telecare-data"), description="where embedded parts and simulated homes keep their files"
    )
    database_url: SecretStr | None = Field(None, description="postgresql://…; without one, `up` starts its own")
    mqtt_url: SecretStr | None = Field(None, description="mqtt://user:password@host:port of the service's own login")
    hub_mqtt_url: str | None = Field(
        None, description="mqtt://host:port that hubs are told; by default that of mqtt_url"
    )
    mqtt_password_file: Path | None = Field(
        None, description="the broker's password file, written when hubs are enrolled"
    )
    mqtt_ca_file: Path | None = Field(
        None, description="certificates that vouch for an mqtts:// broker; else the system's"
    )
    backups: Path | None = Field(None, description="folder of backups, whose newest one the doctor looks at")
    postgres_bin: Path | None = Field(None, description="folder of initdb and postgres; by default the wheel's")
    mosquitto: Path | None = Field(None, description="the mosquitto program; by default found on the PATH or in sbin")
    embedded_broker: Literal["auto", "mosquitto", "wheel"] = Field(
        "auto", description="which broker `up` starts: mosquitto where there is one (auto), or the wheel's"
    )
    host: str = Field("127.0.0.1", description="address that the dashboard listens on")
    port: int = Field(8080, ge=1, le=65535, description="port that the dashboard listens on")
    https_certificate: Path | None = Field(None, description="certificate chain (PEM); with https_key, pages are HTTPS")
    https_key: Path | None = Field(None, description="the certificate's private key (PEM)")
    trusted_proxies: str = Field("", description="addresses whose X-Forwarded-… headers are believed, with commas")
    demo: bool = Field(False, description="demo users exist; loopback only")

    readings_linger_ms: float = Field(8, gt=0, le=1000, description="readings wait this long for company, in ms")
    readings_batch: int = Field(2000, ge=1, le=20_000, description="readings in one commit at most")
    readings_writers: int = Field(2, ge=1, le=16, description="commits of readings under way at once, in one process")
    alarms_burst: int = Field(60, ge=1, description="alarms of one hub at once before its further ones are taken last")
    alarms_per_min: float = Field(30, gt=0, description="alarms of one hub a minute, for ever, that are taken at once")
    crowd_linger_ms: float = Field(
        250, ge=0, le=5000, description="alarms above that allowance wait this long for company, in ms"
    )
    broker_answer_s: Seconds = Field(10, description="the broker answers ingest within this, or is connected to anew")
    adopt_every_s: Seconds = Field(
        5, description="an ingest process looks this often for what another has left at the broker"
    )
    ingest_buffer: int = Field(20_000, ge=100, description="messages held in memory at most; then the broker waits")
    alarm_future_s: Seconds = Field(300, description="an alarm's own time may be this far ahead before it is doubted")
    rollups_every_s: Seconds = Field(
        10, description="readings are folded into the hourly and daily roll-ups this often"
    )
    readings_keep_days: int = Field(400, ge=8, le=36_500, description="raw readings are kept this long; roll-ups stay")
    unreadable_keep_days: int = Field(90, ge=1, le=36_500, description="what could not be understood is kept this long")
    stray_callbacks_keep_days: int = Field(
        90, ge=1, le=36_500, description="providers' callbacks that belong to nothing we know are kept this long"
    )
    replies_keep_days: int = Field(365, ge=30, le=36_500, description="what contacts text or press is kept this long")
    events_keep_days: int = Field(
        7, ge=7, le=3650, description="a screen may come back after this long and miss nothing"
    )
    commands_keep_days: int = Field(
        90, ge=1, le=3650, description="commands to hubs, and their results, are kept this long"
    )
    partition_days_ahead: int = Field(3, ge=1, le=60, description="day partitions of readings made in advance")

    alerts_poll_s: Seconds = Field(1.0, description="the alert engine looks at least this often; it is woken sooner")
    resound_s: Seconds = Field(30, description="unclaimed this long: sounds again for all")
    supervisor_s: Seconds = Field(60, description="unclaimed this long: the supervisor is told")
    second_site_s: Seconds = Field(120, description="unclaimed this long: the second site is told")
    breach_s: Seconds = Field(180, description="unclaimed this long: a breach, and the first contact is told")
    alone_s: Seconds = Field(120, description="nobody on the telephone and no help under way this long: sounds again")
    welfare_s: Seconds = Field(600, description="help is under way: a welfare call is due this often")
    welfare_floor_s: Seconds = Field(300, description="and with somebody on the floor this often")
    wrap_up_s: Seconds = Field(1800, description="safe and not closed this long: sounds again")
    missed_supervisor: int = Field(2, ge=2, le=20, description="deadlines missed in a row before the supervisor hears")
    emergency_check_s: Seconds = Field(900, description="an emergency service is asked about again this often")
    visit_accept_s: Seconds = Field(120, description="a responder says within this whether they go")
    visit_set_off_s: Seconds = Field(300, description="a responder who has accepted sets off within this")
    visit_late_s: Seconds = Field(300, description="past the arrival that they named, a responder is late")
    visit_check_in_s: Seconds = Field(1200, description="a responder on site is heard from this often")
    visit_again_s: Seconds = Field(120, description="a missed check-in is asked about again after this")
    visit_report_s: Seconds = Field(3600, description="the report of a visit is written within this")
    visit_check_in_warn_s: Seconds = Field(300, description="a responder's page warns this long before they check in")
    phone_ahead_s: Seconds = Field(120, description="a responder's phone whose clock is further ahead is not believed")
    phone_keeps_s: Seconds = Field(86_400, description="what a phone says was entered longer ago is not believed")
    on_call_apart_s: Seconds = Field(
        60, description="a number on call is rung this long after it was last; then it hears of all that came meanwhile"
    )
    on_call_again_s: Seconds = Field(
        300, description="past the end of the ladder, or of an empty room, those on call are told again this often"
    )
    key_back_s: Seconds = Field(14_400, description="a key of a home that is taken to a visit is overdue after this")
    technical_s: Seconds = Field(3600, description="an unclaimed level 4 alert is shown again this often")
    service_name: str = Field("Anytown Telecare", max_length=30, description="how messages to contacts begin")
    service_phone: str = Field("01632 960000", max_length=20, description="the number that contacts are asked to call")
    interpreter_phone: str = Field("", max_length=40, description="the interpreter line, as operators see it")
    call_s: Seconds = Field(1800, description="a call whose end nobody writes down is taken as ended after this long")
    public_url: str | None = Field(None, description="how contacts reach the pages; by default http://127.0.0.1:PORT")
    contact_answer_s: Seconds = Field(180, description="a contact who has not answered by then is passed on from")
    contact_voice_s: Seconds = Field(90, description="a contact who has not answered by then is rung")
    arrival_grace_s: Seconds = Field(600, description="a contact who goes may come this much later than they said")
    sms_replies: bool = Field(
        False, description="replies to our text messages reach us: then they say 'Reply 1 for yes, 2 for no'"
    )
    ladder_again_s: Seconds = Field(600, description="when every contact has been asked, they are asked again after")
    ladder_rounds: int = Field(3, ge=0, le=20, description="and so many times at most")
    carer_alerts_week: int = Field(3, ge=0, le=1000, description="alerts a week that one contact should be asked about")
    carer_nights_week: int = Field(1, ge=0, le=7, description="nights a week in which one contact should be asked")
    invitation_days: float = Field(7, gt=0, le=60, description="an invitation to a contact may be taken up this long")
    command_valid_s: Seconds = Field(120, description="a hub obeys a command this long after it was made")
    message_try_s: Seconds = Field(10, description="one attempt to send a message may take this long")
    message_attempts: int = Field(3, ge=1, le=20, description="attempts before a message has failed")
    messages_at_once: int = Field(8, ge=1, le=100, description="messages that one engine hands over at the same time")
    receipt_s: Seconds = Field(60, description="a call or push not heard of for this long goes by the other provider")
    message_fresh_s: Seconds = Field(
        300, description="a text that no receipt says has arrived by then is shown so, and is not sent again"
    )
    receipt_give_up_h: float = Field(72, gt=0, le=720, description="hours until a message without receipt is given up")
    contact_way_min: int = Field(20, ge=1, le=240, description="minutes a contact needs who texts yes and no number")
    phone_region: str = Field("GB", pattern="^[A-Z]{2}$", description="country of telephone numbers without +")

    sms_providers: str = Field("", description="for text messages, in order, with commas: notify, webhook, apprise")
    email_providers: str = Field("", description="for e-mail: notify, apprise, webhook")
    push_providers: str = Field("", description="for push messages: webpush, apprise, webhook")
    voice_providers: str = Field("", description="for calls: webhook, apprise")
    notify_key: SecretStr | None = Field(None, description="GOV.UK Notify: API key")
    notify_url: str = Field("https://api.notifications.service.gov.uk", description="GOV.UK Notify: its address")
    notify_sms_template: str = Field("", description="GOV.UK Notify: id of a text template that is ((message))")
    notify_email_template: str = Field("", description="GOV.UK Notify: id of one with ((subject)) and ((message))")
    notify_callback_token: SecretStr | None = Field(
        None, min_length=16, description="GOV.UK Notify: the bearer token that it sends to /hooks/notify/…"
    )
    apprise_sms_url: SecretStr | None = Field(None, description="Apprise address with {to}, for text messages")
    apprise_email_url: SecretStr | None = Field(None, description="Apprise address with {to}, for e-mail")
    apprise_push_url: SecretStr | None = Field(None, description="Apprise address with {contact}, for push messages")
    apprise_voice_url: SecretStr | None = Field(None, description="Apprise address with {to}, for calls")
    webhook_url: SecretStr | None = Field(None, description="http(s)://… of your gateway: messages are posted there")
    webhook_secret: SecretStr | None = Field(
        None, min_length=16, description="key of the signatures (HMAC) between your gateway and us, both ways"
    )
    webhook_clock_s: Seconds = Field(300, description="the gateway's clock may differ from ours by this much")
    vapid_key: SecretStr | None = Field(None, description="Web Push: private key (`telecare push-key` makes one)")
    vapid_contact: str = Field("", description="Web Push: mailto:… of who runs this service")
    push_hosts: str = Field(
        PUSH_HOSTS,
        description="Web Push: hosts of push services that messages may go through, with commas; *.… any below",
    )
    push_devices: int = Field(5, ge=1, le=50, description="browsers in which one login may let us ring")
    push_gone_days: float = Field(
        30, gt=0, le=3650, description="a browser that can no longer be rung is shown this long"
    )

    supervision_poll_s: Seconds = Field(5, description="silent hubs and devices are looked for this often")
    silence_batch: int = Field(1000, ge=1, le=10_000, description="silences noticed, or ended, in one commit at most")
    incident_hubs: int = Field(10, ge=2, description="so many homes of an area lost in the window are one incident")
    incident_share: float = Field(0.05, gt=0, le=1, description="or this share of the area's homes,")
    incident_least: int = Field(3, ge=2, description="but not fewer homes than this")
    incident_window_s: Seconds = Field(300, description="losses of an area within this time are counted together")
    incident_batch: int = Field(500, ge=1, le=5000, description="alarms taken into incidents in one commit at most")
    first_word_h: float = Field(24, gt=0, le=720, description="hours from its enrolment in which a hub must be heard")
    detection_poll_s: Seconds = Field(1.0, description="detection looks for new readings and due plans this often")
    detection_lag_s: Seconds = Field(30, description="with unread readings older than this, detection judges nobody")
    settled_outbox: int = Field(10, ge=0, description="a hub with more unsent messages than this is not judged")

    watchdog_press_every_s: Seconds = Field(60, description="the watchdog presses its test pendant this often")
    watchdog_within_s: Seconds = Field(20, description="a test press that has not arrived by then is a trouble")
    watchdog_look_every_s: Seconds = Field(5, description="the watchdog looks for what is late or silent this often")
    watchdog_waiting_s: Seconds = Field(10, description="an alarm that is in no alert for this long is a trouble")
    watchdog_overdue_s: Seconds = Field(30, description="an alert this long past its deadline is a trouble")
    watchdog_patience_s: Seconds = Field(10, description="database or broker out of reach this long is a trouble")
    watchdog_keep_days: int = Field(90, ge=1, le=3650, description="test presses and calls to the engineer are kept")
    audit_every_s: Seconds = Field(60, description="the watchdog audits the newest alarms and alerts this often")
    audit_back_s: float = Field(600, ge=60, description="that audit looks back this far")
    oncall_webhook_url: SecretStr | None = Field(
        None, description="http(s)://… to which a trouble is posted as JSON: a gateway to the engineer's telephone"
    )
    oncall_phone: str = Field("", max_length=40, description="the engineer's number, as the banner shows it")
    oncall_repeat_s: Seconds = Field(900, description="while a trouble lasts the engineer is told again this often")
    oncall_clear_s: Seconds = Field(60, description="all must be well this long before the engineer is told so")
    oncall_try_s: Seconds = Field(10, description="one attempt to tell the engineer, or to ping outside, may take this")
    deadman_url: SecretStr | None = Field(
        None, description="http(s)://… pinged after each test press that arrived; who listens there misses it"
    )

    import_bytes: int = Field(8_000_000, ge=65_536, description="a file of episodes has at most so many bytes")
    import_lines: int = Field(20_000, ge=1, le=100_000, description="a file of episodes has at most so many lines")
    import_kept_h: float = Field(48, gt=0, le=720, description="hours for which an uploaded file's lines are kept")
    demo_people: int = Field(240, ge=0, le=2000, description="people in the demo's past year; 0: no past year")

    session_hours: float = Field(12, gt=0, le=168, description="a login lasts this long")
    login_attempts: int = Field(10, ge=1, description="failed logins per name or address in 5 minutes before waiting")
    who_every_s: Seconds = Field(30, description="an event stream asks this often whether its session still runs")
    beat_s: Seconds = Field(5, description="the event stream says that it lives this often")
    console_beat_s: float = Field(
        5, gt=0, le=8, description="the dashboard writes down this often which screens are connected, in s"
    )
    stream_unheard_s: Seconds = Field(15, description="a stream whose screen takes nothing for this long has ended")
    claim_lease_s: float = Field(
        30, ge=12, description="a screen is lost this long, in s: its operator's alerts wait anew"
    )
    no_console_s: Seconds = Field(60, description="no screen for this long, with an alert open, is a trouble")
    no_console_idle_s: Seconds = Field(600, description="no screen for this long is a trouble with no alert open too")
    tasks_every_s: Seconds = Field(60, description="the reasons for tasks are looked at this often")
    quality_every_s: Seconds = Field(3600, description="months that are over are drawn for review this often")
    kit_back_days: float = Field(14, gt=0, le=365, description="equipment is back this long after a service has ended")
    keys_back_days: float = Field(7, gt=0, le=365, description="keys are given back this long after that")
    untested_days: float = Field(14, gt=0, le=365, description="a contact is tested this long after it is noticed")

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and urlsplit(value.get_secret_value()).scheme not in ("postgresql", "postgres"):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("mqtt_url")
    @classmethod
    def _mqtt(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_mqtt_url(value.get_secret_value())
        return value

    @field_validator("push_hosts")
    @classmethod
    def _hosts(cls, value: str) -> str:
        read_hosts(value)
        return value

    @field_validator("oncall_webhook_url", "deadman_url", "webhook_url")
    @classmethod
    def _http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("must be http://… or https://…")
        return value

    @property
    def database(self) -> str:
        """The database's URL.

        Raises:
            CannotStart: none is set and no system runs in the data directory.
        """
        if self.database_url is None:
            raise CannotStart(f"no database: set TELECARE_DATABASE_URL, or start `telecare up` in {self.data_dir}")
        return self.database_url.get_secret_value()

    @property
    def mqtt(self) -> str:
        """The broker's URL with the service's login.

        Raises:
            CannotStart: none is set and no system runs in the data directory.
        """
        if self.mqtt_url is None:
            raise CannotStart(f"no broker: set TELECARE_MQTT_URL, or start `telecare up` in {self.data_dir}")
        return self.mqtt_url.get_secret_value()

    @property
    def links(self) -> str:
        """What links in messages begin with, without a slash at the end."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def mqtt_url_for_hubs(self) -> str:
        """mqtt://host:port, without a login."""
        if self.hub_mqtt_url is not None:
            return self.hub_mqtt_url
        url = parse_mqtt_url(self.mqtt)
        return f"{url.scheme}://{url.host}:{url.port}"


class MqttUrl:
    """The parts of an MQTT URL."""

    __slots__ = ("host", "password", "port", "scheme", "username")

    def __init__(self, scheme: str, host: str, port: int, username: str | None, password: str | None) -> None:
        self.scheme, self.host, self.port, self.username, self.password = scheme, host, port, username, password


def parse_mqtt_url(url: str) -> MqttUrl:
    """Read `mqtt://[user[:password]@]host[:port]` (or `mqtts://`).

    Raises:
        ValueError: it is no such URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ValueError("must be mqtt://host:port or mqtts://host:port")
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    return MqttUrl(parts.scheme, parts.hostname, port, parts.username, parts.password)


def load_settings(data_dir: Path | None = None, *, runtime: bool = True, **given: Any) -> Settings:
    """Settings from what was `given`, then the environment, then (with `runtime`) what runs in the data directory.

    Raises:
        CannotStart: a setting is wrong.
    """
    if data_dir is not None:
        given["data_dir"] = data_dir
    file = _environment_file()
    try:
        first = Settings(_env_file=file, **given)  # the library's own argument
        found = _runtime(first.data_dir) if runtime and first.database_url is None else {}
        unset = {name: value for name, value in found.items() if name not in first.model_fields_set}
        return Settings(_env_file=file, **given, **unset) if unset else first
    except ValidationError as problem:
        error = problem.errors()[0]
        name = "_".join(str(part) for part in error["loc"]).upper()
        raise CannotStart(f"setting TELECARE_{name}: {error['msg'].removeprefix('Value error, ')}") from problem


def _environment_file() -> Path | None:
    """The file of settings that `telecare init` has written, where this process may read it.

    Raises:
        CannotStart: TELECARE_ENV_FILE names one that cannot be read.
    """
    named = os.environ.get(ENV_FILE_VARIABLE)
    path = Path(named) if named else DEFAULT_ENV_FILE
    if os.access(path, os.R_OK):
        return path
    if named:
        raise CannotStart(f"{ENV_FILE_VARIABLE}: {path} cannot be read")
    return None


def _runtime(data_dir: Path) -> dict[str, Any]:
    try:
        found = json.loads((data_dir / RUNTIME_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise CannotStart(f"{data_dir / RUNTIME_FILE} cannot be read: {problem}") from problem
    return found["settings"] if isinstance(found, dict) and isinstance(found.get("settings"), dict) else {}
