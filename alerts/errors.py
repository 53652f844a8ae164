"""Why an alert could not be changed."""

from telecare.errors import TelecareError


class Conflict(TelecareError):
    """The alert is not this user's, or not in a state that allows it."""

    def __init__(self, why: str, *, claimed_by: str | None, state: str) -> None:
        super().__init__(why)
        self.claimed_by = claimed_by
        self.state = state


class Incomplete(TelecareError):
    """Something that the step must capture is missing; `problems` says what, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
