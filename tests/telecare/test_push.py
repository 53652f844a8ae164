"""Where push messages may be handed over, and with which keys."""

import pytest

from telecare.errors import CannotStart
from telecare.push import PUSH_HOSTS, decoded, endpoint_problem, keys_problem, read_hosts
from telecare.settings import load_settings
from tests.push_service import PushService, base64url

KNOWN = read_hosts(PUSH_HOSTS)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/dQw4:APA91b-_x",
        "https://fcm.googleapis.com:443/wp/x",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA-_",
        "https://eu.push.services.mozilla.com/wpush/v2/gAAAA",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA%2b%2f",
        "https://web.push.apple.com/QGj",
        "https://api.push.apple.com/3/x",
    ],
)
def test_the_known_push_services_are_taken(endpoint: str) -> None:
    assert endpoint_problem(endpoint, KNOWN) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.com:8443/x",
        "https://evil.example/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evilfcm.googleapis.com/x",
        "https://push.apple.com/x",  # no name below it
        "https://evil-push.apple.com/x",
        "https://user@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://evil.example\\.push.apple.com/x",  # what a library takes for evil.example
        "https://evil.example#.push.apple.com/x",
        "https://evil.example?.push.apple.com/x",
        "https://fcm.googleapis.com/x\r\nHost: evil.example",
        "https://fcm.googleapis.com/x y",
        "https://FCM.googleapis.com/x",
        "https://fcm.googleapis.com./x",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://[::1]/x",
        "https://fcm.googleapis.com/" + "x" * 2048,
        "https://fcm.googleapis.com/\u0430",
    ],
)
def test_every_other_address_is_refused(endpoint: str) -> None:
    assert endpoint_problem(endpoint, KNOWN) is not None


def test_a_host_may_have_a_port_of_its_own_and_an_address_never_passes() -> None:
    assert endpoint_problem("https://push.example.org:8443/x", read_hosts("push.example.org:8443")) is None
    assert endpoint_problem("https://push.example.org/x", read_hosts("push.example.org:8443")) is not None
    assert endpoint_problem("https://10.0.0.1/x", ("10.0.0.1", "*.0.0.1")) is not None


@pytest.mark.parametrize(
    "wrong", ["10.0.0.1", "https://fcm.googleapis.com", "*", "*.10", "a b", "::1", "x:0", "0x7f000001"]
)
def test_a_setting_that_names_no_host_stops_the_start(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELECARE_PUSH_HOSTS", f"fcm.googleapis.com,{wrong}")
    with pytest.raises(CannotStart, match=r"TELECARE_PUSH_HOSTS: .* is no name of a host"):
        load_settings(runtime=False)


def test_keys_are_a_point_of_the_curve_and_sixteen_bytes() -> None:
    good = PushService().browser().keys
    assert keys_problem(good["p256dh"], good["auth"]) is None
    assert keys_problem(good["p256dh"] + "=", good["auth"] + "==") is None
    wrong = [
        good | {"p256dh": ""}, good | {"p256dh": good["p256dh"][:-4]}, good | {"auth": ""}, good | {"auth": "AAAA"},
        good | {"p256dh": base64url(b"\x04" + b"\x01" * 64)}, good | {"p256dh": "!" * 87}, good | {"auth": "A" * 500},
        good | {"auth": good["auth"] + "\n"},
    ]  # fmt: skip
    for keys in wrong:
        assert keys_problem(keys["p256dh"], keys["auth"]) is not None, keys
    assert decoded("A") is None
