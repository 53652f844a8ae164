"""What the detector costs: the pendant's firmware against real time at 200 Hz, and the hub's judgement of one window.

    python -m bench.falls --json

Ten minutes of drawn walking with a fall in each. `machine_ns` is what the same loop takes that only adds the three
axes up: the machine's own limit for code of this kind, so that figures of two machines can be compared.
"""

import math
import random
import time
from datetime import UTC, datetime
from typing import Any, Final

from bench.running import arguments, tell
from firmware_sim import pendant, trigger
from firmware_sim.frames import ImpactFrame
from firmware_sim.pendant import Pendant
from firmware_sim.trigger import Sample
from gateway.falls.judge import judge
from gateway.falls.model import shipped
from gateway.falls.window import decode

RATE_HZ: Final = 200
ZERO: Final = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure, and print."""
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--windows", type=int, default=300, help="judgements, of the windows that there are, in turn")
    wish = parser.parse_args()
    samples = _walking(wish.minutes)
    bare_s, firmware_s, impacts = _bare(samples), *_firmware(samples)
    tell(
        {
            "samples": len(samples),
            "machine_ns": round(1e9 * bare_s / len(samples)),
            "firmware_ns": round(1e9 * firmware_s / len(samples)),
            "ratio_to_machine": round(firmware_s / bare_s, 1),
            "times_real_time": round(len(samples) / RATE_HZ / firmware_s),
            "windows": len(impacts),
            **_hub(impacts, wish.windows),
        },
        as_json=wish.json,
    )


def _walking(minutes: int) -> list[Sample]:
    """Steps with noise, and once a minute a drop, a blow and lying still."""
    rng = random.Random(1)
    made = []
    for n in range(minutes * 60 * RATE_HZ):
        t = n / RATE_HZ
        second = t % 60
        lying = 40.5 < second < 50
        size = 0.3 if 40 < second < 40.4 else 4.0 if 40.4 <= second <= 40.5 else 1.0
        step = 0.0 if lying else 0.25 * math.sin(2 * math.pi * 1.8 * t)
        up, flat = (0.0, size) if lying else (size + step, 0.0)
        one = trigger.sample(t, rng.gauss(0, 0.01), up + rng.gauss(0, 0.01), flat + rng.gauss(0, 0.01))
        if one is not None:
            made.append(one)
    return made


def _bare(samples: list[Sample]) -> float:
    begun, total = time.perf_counter(), 0
    for _, x, y, z in samples:
        total += x * x + y * y + z * z
    return time.perf_counter() - begun


def _firmware(samples: list[Sample]) -> tuple[float, list[ImpactFrame]]:
    begun, worn, impacts = time.perf_counter(), Pendant("pendant-1", "b"), list[ImpactFrame]()
    for one in samples:
        worn, said = pendant.feel(worn, one, ZERO)
        for frame in said:
            if isinstance(frame, ImpactFrame):
                impacts.append(frame)
    return time.perf_counter() - begun, impacts


def _hub(impacts: list[ImpactFrame], count: int) -> dict[str, Any]:
    begun = time.perf_counter()
    model = shipped()
    read_s = time.perf_counter() - begun
    took = []
    for n in range(count):
        begun = time.perf_counter()
        judge(model, decode(impacts[n % len(impacts)].window), "trunk")
        took.append(time.perf_counter() - begun)
    took.sort()
    return {
        "model_read_ms": round(1000 * read_s, 1),
        "hub_ms_median": round(1000 * took[count // 2], 2),
        "hub_ms_p99": round(1000 * took[count * 99 // 100], 2),
    }


if __name__ == "__main__":
    main()
