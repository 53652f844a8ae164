"""How long an alarm takes: on a quiet system, behind a flood of readings, and in a storm of alarms.

    python -m bench.latency --json

Starts a whole system of its own in a temporary folder. "Press" is a device's frame at a real hub's socket; "publish" is
when the hub has kept it and sends it; "receipt" is the service's receipt for that alarm at the broker, which it sends
after the commit; "console" is the event on a console's stream that shows it, read from the database after the commit.
The machine's own limit in the same run: two hops through the broker and a one-row commit, on the idle system.
"""

import argparse
import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench import storm
from bench.limits import broker_hop_ms, commit_ms, percentiles
from bench.load import Load
from bench.presses import Ledger, Pressers
from bench.readings import Readings
from bench.running import arguments, fresh_system, readings, tell
from telecare.enrolment import enrol
from telecare.register.homes import NewHome
from telecare.settings import Settings

PRESSERS: Final = 60
PRESSES_PER_S: Final = 15.0  # of all homes together; more from one home would be taken as a hub gone mad
FLOOD_HUBS: Final = 100
FLOOD_CONNECTIONS: Final = 4
_BEFORE_S: Final = 4  # of flood before the first press, and as long after the last


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of presses, quiet and in each flood")
    parser.add_argument("--readings-per-s", type=int, default=16_000, help="in the floods")
    parser.add_argument("--storm-per-s", type=float, default=500, help="alarms a second in the storm")
    parser.add_argument("--storm-s", type=float, default=10)
    wish = parser.parse_args()
    with fresh_system() as (settings, folder):
        found = asyncio.run(measure(settings, folder, wish))
    tell(found, as_json=wish.json)


async def measure(settings: Settings, folder: Path, wish: argparse.Namespace) -> dict[str, Any]:
    """Every figure, one after the other."""
    hop, commit = percentiles(await broker_hop_ms(settings)), percentiles(await commit_ms(settings))
    limit_ms = round(hop["p50"] * 2 + commit["p50"], 2)  # there, one commit, and back
    found: dict[str, Any] = {"broker_hop_ms": hop, "one_row_commit_ms": commit, "limit_ms": limit_ms}
    feed = Readings(await _flood_hubs(settings), FLOOD_CONNECTIONS)
    pressers = Pressers(settings, folder, "press", PRESSERS)
    async with pressers.running():
        found["quiet"] = _told(await pressers.press(wish.seconds, PRESSES_PER_S), limit_ms)
        for name, per_message in (("flood_of_packs", 10), ("flood_of_single_readings", 1)):
            length_s = wish.seconds + 2 * _BEFORE_S + 6
            packets = feed.packets(int(wish.readings_per_s * length_s / per_message), per_message)
            load = Load(settings.mqtt, f"flood-{secrets.token_hex(4)}", packets, wish.readings_per_s / per_message)
            with _offered(load):
                await asyncio.sleep(_BEFORE_S)
                before = await readings(settings)
                begun = asyncio.get_running_loop().time()
                ledger = await pressers.press(wish.seconds, PRESSES_PER_S)
                took_s = asyncio.get_running_loop().time() - begun
                stored = await readings(settings) - before
            found[name] = {"readings_stored_per_s": round(stored / took_s)} | _told(ledger, limit_ms)
    found["storm"] = await storm.measure(settings, 1000, wish.storm_per_s, wish.storm_s)
    return found


async def _flood_hubs(settings: Settings) -> list[str]:
    homes = [(f"flood-{n}", NewHome(address=f"{n} Flood Street")) for n in range(FLOOD_HUBS)]
    return [enrolment.hub for enrolment in await enrol(settings, list(homes))]


@contextmanager
def _offered(load: Load) -> Iterator[None]:
    load.begin()
    try:
        yield
    finally:
        load.kill()


def _told(ledger: Ledger, limit_ms: float) -> dict[str, Any]:
    receipt = percentiles(ledger.took_ms(ledger.receipted, ledger.kept))
    console = percentiles(ledger.took_ms(ledger.shown, ledger.kept))
    return {
        "presses": len(ledger.pressed),
        "receipts": len(ledger.receipted),
        "shown": len(ledger.shown),
        "press_to_kept_ms": percentiles(ledger.took_ms(ledger.kept, ledger.pressed)),
        "publish_to_receipt_ms": receipt,
        "publish_to_console_ms": console,
        "receipt_ratio_to_limit": round(receipt.get("p50", 0) / limit_ms, 1),
        "console_ratio_to_limit": round(console.get("p50", 0) / limit_ms, 1),
    }


if __name__ == "__main__":
    main()
