"""What each figure means and where its rule is from: the words printed beside it, and in every export."""

from typing import Final

ALERTS: Final = "Alerts"
VISITS: Final = "Visits"
MEDIAN: Final = "Median time to answer"
WITHIN_60: Final = "Answered within 60 s"
WITHIN_180: Final = "Answered within 180 s"

ARRIVAL_RECORDED: Final = "Visits with the arrival recorded"
ARRIVAL_NOT_RECORDED: Final = "Visits with the arrival not recorded"
ON_SITE_45: Final = "On site within 45 min"
ON_SITE_60: Final = "On site in 45 to 60 min"
ON_SITE_LATER: Final = "On site later than 60 min"
SHARE_45: Final = "Share on site within 45 min"
SHARE_60: Final = "Share on site within 60 min"

CLOSED_ALERTS: Final = "Closed alerts"

STARTED: Final = "Episodes started"
DUE: Final = "To whom the rule applies, and whose day 91 has come"
KNOWN: Final = "Known"
UNKNOWN: Final = "Not known"
NOT_HOME: Final = "Not at home"
LOWER: Final = "Still at home: lower bound, the published rule"
UPPER: Final = "Still at home: upper bound"
OF_KNOWN: Final = "Still at home: of those of whom it is known (estimate)"

ENDED: Final = "Episodes ended"
IN_THE_MEASURE: Final = "In the measure"
LEFT_OUT: Final = "Left out of the measure"
LOWER_LEVEL: Final = "No support, or lower-level support"
LONG_TERM: Final = "Long-term support"
SHARE_2A: Final = "No or lower-level support afterwards (estimate)"

GOALS: Final = "Goals of episodes that ended"
GOALS_SAID: Final = "It is said whether they were reached"
GOALS_NOT_SAID: Final = "Not said"
SHARE_GOALS: Final = "Goals reached, of those said (estimate)"

LEGEND: Final = (
    "[c] stands for a number from 1 to 7, or one from which such a number could be worked out, or a share of so few."
    " Other counts are to the nearest 5, so they need not add up. [z] means that there was nothing to count. After a"
    " share, in brackets, is its 95% Wilson interval: two intervals that overlap are no test of a difference."
)
LIMITS: Final = (
    "These figures describe a service. They cannot be used to judge how effective a council is, and without a "
    "comparison they do not say what would have happened otherwise."
)
_RESPONSE: Final = (
    "Performance wording of the TSA, the UK's telecare trade body, as published in the MASCOT telecare performance "
    "report 2015/16 (mascot-telecare.org.uk) and by Telecare Aware (archive1.telecareaware.com)."
)

# Title, definition in sentences, source; by the name under which a report is asked for.
REPORTS: Final[dict[str, tuple[str, tuple[str, ...], str]]] = {
    "answering": (
        "How soon alerts were answered",
        (
            "Alerts of levels 1 to 3, equipment tests left out, by the month in which they were raised.",
            "Answered means that an operator claimed the alert; the time is from raised to first claimed. An alert "
            "that nobody claimed counts as not answered in time.",
            "Asked for: 97.5% within 60 s, and 99% within 180 s with each slower one investigated.",
            "Visits are alerts to which somebody was sent.",
            "A hidden share of a month mostly means that 1 to 7 of its alerts were not answered in that time.",
        ),
        _RESPONSE,
    ),
    "visits": (
        "How soon somebody was there",
        (
            "Visits are alerts of levels 1 to 3 to which somebody was sent, in the month in which the alert was "
            "raised.",
            "The time is from the alert being raised to the arrival that was written down. The source does not say "
            "from when it counts; this is the stricter reading.",
            "Where no arrival was written down nothing is assumed: the visit is counted apart, and is in neither "
            "share.",
            "Asked for: 90% on site within 45 min and 100% within 60 min.",
        ),
        _RESPONSE,
    ),
    "causes": (
        "Why alarms went off",
        ("Closed alerts of levels 1 to 3, equipment tests left out, by the cause given when they were closed.",),
        "This service's own list of causes (docs/operators.md).",
    ),
    "day-91": (
        "Still at home on day 91",
        (
            "Of people aged 65 or over who were discharged from hospital into reablement at home, the share who were"
            " at home 91 days later. Who had died, or was in hospital or a care home, was not.",
            "Lower bound, the published rule: whoever could not be reached, or was not asked, counts as not at home."
            " Upper bound: as if all of them were at home. The truth lies between the two.",
            "Episodes that started in the period, whenever they ended. Those whose day 91 has not come are apart, as"
            " are those to whom the rule does not apply.",
        ),
        "Former ASCOF measure 2B(1), now 2D: id.esd.org.uk metric 11106; people who cannot be contacted count as not"
        " at home: performance.westsussex.gov.uk di7k-g9qu.",
    ),
    "sequels": (
        "What support came after reablement",
        (
            "Episodes that started in the period and have ended, by the support that came after.",
            "The share is reckoned as in ASCOF 2A: no, universal, low-level or other short-term support, over these "
            "and long-term support. Hospital, death, early endings, people who declined and people who pay "
            "themselves are in neither number.",
            "ASCOF counts new clients only. Whether somebody is a new client is not recorded here, so the two shares"
            " are not the same measure.",
        ),
        "NHS Digital, ASCOF 2A from client level data; id.esd.org.uk metric 4283.",
    ),
    "goals": (
        "Goals reached",
        (
            "What people wanted to be able to do again, in their own words: goals of episodes that started in the "
            "period and have ended, by whether the person says that they reached them.",
        ),
        "This service's own count.",
    ),
}  # fmt: skip
