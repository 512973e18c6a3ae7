"""Freezing, in one dialect: what is in effect, and from when."""

from bnspec.case import Step
from bnspec.simulate.asking import Asking


class Freezing:
    """What freezing and unfreezing have come to.

    frozen: the layer is, in whatever way the dialect means it; halted: only its updates are; broken: every
    further call raises; called: it was called before, and what was traced then may not see a change.
    """

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.frozen = self.halted = self.broken = False
        self.compiled = self.called = False
        self.waiting: bool | None = None
        if asking.layer.frozen:
            self.set(True)

    def change(self, step: Step, value: bool) -> None:
        """Freeze or unfreeze the layer or its parent, as far as it reaches the layer."""
        reach = "yes" if step.options.get("where", "layer") == "layer" else self.asking.of_case("frozen.reach")
        self.halted = value and reach == "update-only"
        if reach == "yes":
            self.set(value, step)

    def set(self, value: bool, step: Step | None = None) -> None:
        """Freeze or unfreeze, when the dialect does it: asked of the last change of a case that asks it."""
        case = self.asking.case
        changes = [other for other in case.program if other.do in ("freeze", "unfreeze")]
        last = not changes or step is changes[-1]
        asked = last if "frozen.timing" in case.clauses else self.compiled
        timing = self.asking.of_case("frozen.timing") if asked else "at-once"
        if self.called and not self.compiled and "frozen.timing" not in case.clauses:
            situation = f"{'freeze' if value else 'unfreeze'}-after-call"
            timing = self.asking.dialect.variant("frozen.timing", situation)
        if timing == "at-once":
            self.frozen = value
        self.waiting = value if timing == "at-compile" else None
        self.broken = timing == "raises"

    def compile(self) -> None:
        """Let what waited for it become effective."""
        self.compiled = True
        if self.waiting is not None:
            self.frozen, self.waiting = self.waiting, None
