"""Which provider carries what, by the settings. All are off until they are named there."""

from collections.abc import Callable
from typing import Final

from alerts.providers import CHANNELS, DemoProvider, NoProvider, Provider, Table
from telecare.errors import CannotStart
from telecare.push import read_hosts
from telecare.settings import Settings

CARRIES: Final[dict[str, frozenset[str]]] = {
    "notify": frozenset({"sms", "email"}),
    "apprise": frozenset(CHANNELS),
    "webpush": frozenset({"push"}),
    "webhook": frozenset(CHANNELS),
}


def table_for(settings: Settings) -> Table:
    """The providers of each channel, in their order. In a demo nothing is ever really sent.

    Raises:
        CannotStart: a setting names none of ours, or lacks what the provider needs.
    """
    if settings.demo:
        return {channel: (DemoProvider(),) for channel in CHANNELS}
    made: dict[str, Provider] = {}
    table: dict[str, tuple[Provider, ...]] = {}
    for channel in CHANNELS:
        names = names_for(settings, channel)
        for name in names:
            if name not in made:
                made[name] = _MAKE[name](settings)
        table[channel] = tuple(made[name] for name in names) or (NoProvider(),)
    return table


def names_for(settings: Settings, channel: str) -> tuple[str, ...]:
    """The names of a channel's providers, each once.

    Raises:
        CannotStart: one of them is none of ours, or does not carry this channel.
    """
    given = [name.strip() for name in getattr(settings, f"{channel}_providers").split(",")]
    names = tuple(dict.fromkeys(name for name in given if name))
    for name in names:
        if channel not in CARRIES.get(name, ()):
            known = ", ".join(sorted(one for one, carried in CARRIES.items() if channel in carried))
            raise CannotStart(f"setting TELECARE_{channel.upper()}_PROVIDERS: {name} is none; there are {known}")
    return names


def _needs(settings: Settings, provider: str, *names: str) -> list[str]:
    found = []
    for name in names:
        value = getattr(settings, name)
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if not text:
            raise CannotStart(f"provider {provider} needs TELECARE_{name.upper()}")
        found.append(text)
    return found


def _notify(settings: Settings) -> Provider:
    from alerts.channels.notify import Notify

    needed = [f"notify_{channel}_template" for channel in ("sms", "email") if "notify" in names_for(settings, channel)]
    key, url, *_ = _needs(settings, "notify", "notify_key", "notify_url", *needed)
    return Notify(
        key, url, settings.notify_sms_template, settings.notify_email_template, settings.service_name,
        settings.message_try_s,
    )  # fmt: skip


def _apprise(settings: Settings) -> Provider:
    from alerts.channels.by_apprise import Apprise

    using = [channel for channel in CHANNELS if "apprise" in names_for(settings, channel)]
    return Apprise({channel: _apprise_url(settings, channel) for channel in using}, settings.service_name)


def _apprise_url(settings: Settings, channel: str) -> str:
    (url,) = _needs(settings, "apprise", f"apprise_{channel}_url")
    if "{to}" not in url and "{contact}" not in url:
        # Without it everybody's messages would go to one place.
        raise CannotStart(f"setting TELECARE_APPRISE_{channel.upper()}_URL: needs {{to}} or {{contact}} in it")
    return url


def _webhook(settings: Settings) -> Provider:
    from alerts.channels.webhook import Webhook

    url, secret = _needs(settings, "webhook", "webhook_url", "webhook_secret")
    return Webhook(url, secret, f"{settings.links}/hooks/webhook", settings.service_name, settings.message_try_s)


def _webpush(settings: Settings) -> Provider:
    from alerts.channels.web_push import WebPush

    key, contact = _needs(settings, "webpush", "vapid_key", "vapid_contact")
    return WebPush(
        key, contact, settings.service_name, read_hosts(settings.push_hosts), settings.message_try_s,
        settings.message_fresh_s,
    )  # fmt: skip


_MAKE: Final[dict[str, Callable[[Settings], Provider]]] = {
    "notify": _notify,
    "apprise": _apprise,
    "webhook": _webhook,
    "webpush": _webpush,
}
