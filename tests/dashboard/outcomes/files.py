"""A file as Excel writes it: a mark at its beginning, Windows line ends, 5,000 lines, of which 37 are wrong."""

from typing import Final

# Ten ways in which a line can be wrong: the changed cells, the field that is named, words of the reason.
WRONG: Final = (
    ({"person": "XX-9999"}, "person", "No person of this council has this reference"),
    ({"person": ""}, "person", "Say whose episode"),
    ({"reason": "bored"}, "reason", "is not one of"),
    ({"started_on": "31/02/2026"}, "started_on", "there is no such day"),
    ({"started_on": "01/01/2099"}, "started_on", "in the future"),
    ({"ended_on": "01/02/2020"}, "ended_on", "is before the start"),
    ({"sequel": ""}, "sequel", "needs what support came after"),
    ({"barthel_start": "99"}, "barthel_start", "outside 0 to 20"),
    ({"day91": "home", "day91_asked_on": "02/01/2021", "day91_asked_by": "RK"}, "day91_asked_on", "Day 91 is"),
    ({"started_on": "10/01/2021", "ended_on": "15/01/2021"}, "started_on", "Overlaps line"),
)  # fmt: skip
LINES, WRONG_LINES, PEOPLE = 5000, 37, 500
COLUMNS: Final = ("person", "reason", "started_on", "goal_1", "barthel_start", "ended_on", "end_reason", "sequel",
                  "day91", "day91_asked_on", "day91_asked_by")  # fmt: skip


def wrong_at() -> dict[int, int]:
    """Which line is wrong in which way: line number (the header is 1) to a place in WRONG."""
    return {101 + 131 * n: n % len(WRONG) for n in range(WRONG_LINES)}


def big_file() -> bytes:
    """The file. Each of PEOPLE people has ten episodes, one every ninety days or so before 2026."""
    wrong = wrong_at()
    rows = [";".join(COLUMNS)]
    for index in range(LINES):
        number, turn = index % PEOPLE, index // PEOPLE
        year, half = 2021 + turn // 2, turn % 2
        cells = {
            "person": f"AT-{number:04d}", "reason": "fall", "started_on": f"0{1 + 6 * half}/0{1 + 5 * half}/{year}",
            "goal_1": f"“Naïve” goal {index}", "barthel_start": "10",
            "ended_on": f"20/0{2 + 6 * half}/{year}", "end_reason": "completed", "sequel": "none", "day91": "",
            "day91_asked_on": "", "day91_asked_by": "",
        }  # fmt: skip
        if index + 2 in wrong:
            cells |= WRONG[wrong[index + 2]][0]
        rows.append(";".join(cells[name] for name in COLUMNS))
    return b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\n"
