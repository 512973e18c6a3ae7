"""Wrong states: saved, loaded, held by others, left by an error."""

import numpy as np
from correct import Correct

TRIP = ("state.round-trip",)


class CounterLostInLoad(Correct):
    """The counter is not loaded."""

    fault, clause = "counter wrong after load", TRIP

    def load(self, checkpoint):
        super().load(dict(checkpoint, count=0))


class CounterMovedByError(Correct):
    """A call that raises has counted already."""

    fault, clause = "counter moved by a call that raised", ("errors.atomic",)

    def check(self, x):
        try:
            super().check(x)
        except ValueError:
            self.count += 1
            raise


class MeanMovedByError(Correct):
    """A call that raises for its number of channels has moved the mean of the ones that fit."""

    fault, clause = "state moved by a call that raised", ("errors.atomic",)

    def check(self, x):
        try:
            super().check(x)
        except ValueError:
            if x.ndim == self.layer["rank"]:
                self.store({"mean": self.state["mean"] * self.own(0.5)})
            raise


class SavedInHalfPrecision(Correct):
    """The state is rounded when it is saved."""

    fault, clause = "state rounded when saved", TRIP

    def saved(self):
        checkpoint = super().saved()
        for part in ("state", "parameters"):
            checkpoint[part] = {n: v.astype(np.float16).astype(v.dtype) for n, v in checkpoint[part].items()}
        return checkpoint


class SavedAsDeviation(Correct):
    """The variance is saved as 1/√(v + ε)."""

    fault, clause = "variance saved as its reciprocal root", TRIP

    def saved(self):
        checkpoint = super().saved()
        if "variance" in self.state:
            saved = self.inverse(self.state["variance"])
            checkpoint["state"]["variance"] = 1 / saved**2 - saved.dtype.type(self.epsilon)
        return checkpoint


class ScaleNotSaved(Correct):
    """The scale is not saved."""

    fault, clause = "scale not saved", TRIP

    def saved(self):
        checkpoint = super().saved()
        if "scale" in checkpoint["parameters"]:
            checkpoint["parameters"]["scale"] = np.ones_like(checkpoint["parameters"]["scale"])
        return checkpoint


class NoUpdateAfterReload(Correct):
    """A layer that was loaded does not move its statistics any more."""

    fault, clause = "no update after load", TRIP
    loaded = False

    def load(self, checkpoint):
        super().load(checkpoint)
        self.loaded = True

    def update(self, batch):
        if not self.loaded:
            super().update(batch)


class MomentumLostInLoad(Correct):
    """A layer that was loaded has the default momentum."""

    fault, clause = "momentum forgotten in load", TRIP
    loaded = False

    def load(self, checkpoint):
        super().load(checkpoint)
        self.loaded = True

    @property
    def keep(self):
        return 0.9 if self.loaded else super().keep


class CounterResetByOldFile(Correct):
    """A file without the counter sets it to 0."""

    fault, clause = "counter reset by an old file", ("state.missing-counter",)
    missing_counter = "reset"


class SnapshotAliased(Correct):
    """A state that was handed out changes with the layer."""

    fault, clause = "state that was handed out is aliased", ("state.snapshot",)

    def snapshot(self):
        return self.state


class SnapshotHalfAliased(Correct):
    """Of a state that was handed out, the variance changes with the layer."""

    fault, clause = "variance of a state that was handed out is aliased", ("state.snapshot",)

    def look(self, held):
        return self.shown_state({"mean": held["mean"], "variance": self.state["variance"]})


class SnapshotCounterAliased(Correct):
    """Of a state that was handed out, the counter changes with the layer."""

    fault, clause = "counter of a state that was handed out is aliased", ("state.snapshot",)

    def look(self, held):
        return {**super().look(held), "count": np.asarray(self.count)}


class HiddenAccumulator(Correct):
    """Statistics that are written are not what the next update starts from."""

    fault, clause = "written statistics ignored by the next update", ("state.complete",)
    complete = False


class WrittenVarianceIsDeviation(Correct):
    """A variance that is written is taken for a standard deviation where it enters the next update."""

    fault, clause = "written variance misread by the next update", ("state.complete", "stats.closed-form")
    written = False

    def set_state(self, state):
        super().set_state(state)
        self.written = "variance" in state

    def update(self, batch):
        if self.written:
            self.store({"variance": self.state["variance"] ** 2})
        self.written = False
        super().update(batch)


class UntrackedStillMoves(Correct):
    """Told to keep no statistics, the layer moves them."""

    fault, clause = "untracked, but still updated", ("stats.untracked-training",)
    untracked_training = "updates"


class LostWhereUncollected(Correct):
    """Updates are handed to the caller, and lost."""

    fault, clause = "updates lost without a word", ("stats.timing", "stats.uncollected")
    timing = "collected"
