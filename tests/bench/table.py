"""One line of the benchmarks' table."""

from typing import NamedTuple


class Line(NamedTuple):
    """A measure beside its reference. With a bound on their ratio it is kept or missed; without one it is there to be read. Where there
    is no value, `why` says so, and that is a miss."""
    what: str
    value: float | None = None
    reference: str = ""
    other: float | None = None
    ratio: float | None = None
    sense: str = ""
    bound: float | None = None
    why: str = ""

    def kept(self):
        if self.why or self.bound is None:
            return not self.why
        return self.ratio <= self.bound if self.sense == "<=" else self.ratio >= self.bound

    def __str__(self):
        number = lambda x: "" if x is None else f"{x:,.0f}" if x >= 1000 else f"{x:.2f}"
        goal = "" if self.bound is None else f"{self.sense} {self.bound:.2f}"
        verdict = f"MISSED: {self.why}" if self.why else "" if self.bound is None else "ok" if self.kept() else "MISSED"
        return (f"{self.what:<58} {number(self.value):>10}  {self.reference:<18} {number(self.other):>10}  {number(self.ratio):>6}  "
                f"{goal:<8} {verdict}").rstrip()


def at_most(what, value, bound):
    return Line(what, value, "bound", bound, value / bound, "<=", 1.0)


def without_value(what, bound, why):
    return Line(what, None, "bound", bound, None, "<=", 1.0, why)


HEAD = f"{'measure':<58} {'wsl4':>10}  {'reference':<18} {'its value':>10}  {'ratio':>6}  {'bound':<8}"
