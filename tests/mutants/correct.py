"""A batch normalization layer that is right, behind bnspec's public Adapter API.

Small methods, so that a mutant (the other files) is one of them overridden; class attributes choose its
dialect, so that every legitimate variant is one of them changed (`dialects.py`). Its own dialect: momentum
weighs the old statistic, population variance, exponential average from 0 and 1, updated in the call, inference
where nobody says a mode, moving statistics and no update where frozen.
"""

import numpy as np
from arithmetic import Arithmetic, Batch, Call, rounded, shown
from executing import Executing
from replicated import Replicated

from bnspec.worker.adapter import Trainer, Unsupported


class Correct(Executing, Arithmetic, Trainer):
    """The layer. Attributes left and right of a comment are the variants of `spec.py`'s axes."""

    name = "correct"
    package = "numpy"

    initial = "zero-one"
    complete = True
    timing = "forward"  # or backward, collected
    uncollected = "lost-silently"
    shared = "each-call"
    no_gradient = "updates"
    recomputed = "once"
    untracked_training = "none"
    untracked_inference = "batch"
    missing_counter = "kept"
    used_in_training = "batch"  # forward.statistics
    unstated = "infer"
    nested = "inherits"
    pinned = "respected"
    override = "overridden"
    reach = "yes"
    conflict = "call"
    frozen_normalisation = "moving"
    frozen_update = "none"
    frozen_timing = "at-once"
    frozen_reach = "yes"
    reported_loss = "before-update"
    loss_scope = "running-mean"
    single = "offset"
    single_update = "zero"
    empty = "unchanged"
    epsilon_rule = "exact"
    nan_recovery = "never"
    Several = Replicated
    given = None  # the statistics of a batch of which this layer has a share

    def __init__(self, layer, *, structure="bare", execution="eager", device="cpu"):
        super().__init__(layer, structure=structure, execution=execution, device=device)
        if self.epsilon_rule == "rejected" and layer["epsilon"] < 0:
            raise ValueError("epsilon must not be negative")
        channels = layer["features"]
        self.parameters = {}
        if layer["scale"]:
            self.parameters["scale"] = np.ones(channels, self.inner)
        if layer["offset"]:
            self.parameters["offset"] = np.zeros(channels, self.inner)
        self.tracked = layer["tracked"]
        self.state = self.fresh() if self.tracked else {}
        self.reached = dict(self.state)  # where the last update got to
        self.count = 0
        self.frozen = self.in_effect = layer["frozen"]
        self.compiled = self.broken = self.recorded = False
        self.own_mode = None
        self.tape, self.pending = [], []

    def fresh(self):
        """Return the moving statistics before any step."""
        zeros = np.zeros(self.layer["features"], self.inner)
        if self.initial.startswith("unset"):
            return {}
        return {"mean": zeros, "variance": zeros + (self.initial == "zero-one")}

    @classmethod
    def replicas(cls):
        return type("Replicas", (cls.Several,), {"kind": cls})

    # Calls

    def call(self, mode, x, *, mask=None, record=True, collect=True, recompute=False):
        self.check(x)
        mode = self.obeyed(mode)
        mode, may_update = self.effective_mode(mode)
        may_update = may_update and (record or self.no_gradient == "updates")
        self.tape, self.pending, self.recorded = [], [], False
        before = {name: value.copy() for name, value in self.state.items()}
        y = x
        with np.errstate(all="ignore"):
            for _ in range(2 if self.structure == "shared-twice" else 1):
                y = self.apply(mode, may_update, y, mask)
            self.settle(before, collect)
        self.recorded, self.again = record, recompute
        return shown(y, self.output_type)

    def check(self, x):
        """Refuse what the layer was not built for, before anything changes."""
        rank, channels = self.layer["rank"], self.layer["features"]
        if x.ndim != rank or x.shape[self.layer["axis"]] != channels:
            raise ValueError(f"x of shape {x.shape}; expected rank {rank} and {channels} channels")

    def effective_mode(self, mode):
        """Return the mode that reaches the layer when the outermost caller says one, and whether it may update."""
        if self.structure.startswith("pinned-") and (mode is None or self.pinned != "overridden"):
            may_update = self.pinned == "respected" or mode == "train"
            return self.structure[len("pinned-") :], may_update
        if self.structure in ("user-layer", "user-model"):
            return self.passed_on(mode)
        if self.structure == "plain-list" and self.reach == "raises":
            raise NotImplementedError
        if self.structure == "plain-list" and self.reach == "yes-no-update":
            return self.resolved(mode), False
        if self.structure == "plain-list" and self.reach == "no":
            mode = None
        return self.resolved(mode), True

    def passed_on(self, mode):
        """Return the mode that reaches a layer whose parent does not pass it on, and whether it may update."""
        if self.nested == "raises":
            raise RuntimeError("nobody says the mode")
        fixed = {"fixed-infer": "infer", "fixed-train": "train"}
        return self.resolved(fixed.get(self.nested, mode)), self.nested != "inherits-no-update"

    def resolved(self, mode):
        """Return the mode to work in when the call says `mode`, or nothing."""
        built_with = self.layer["mode"]
        if mode and built_with and mode != built_with:
            if self.conflict == "raises":
                raise ValueError(f"the constructor said {built_with}, the call says {mode}")
            return mode if self.conflict == "call" else built_with
        mode = mode or self.own_mode or built_with or self.unstated
        if mode == "raises":
            raise ValueError("say a mode: train or infer")
        return mode

    def apply(self, mode, may_update, x, mask):
        """Call the layer once."""
        by_batch, updates = self.plan(mode)
        updates = updates and may_update
        values, weights = self.rows(x), self.weights(mask, x.shape)
        batch = self.given or (self.statistics(values, weights) if by_batch or updates else None)
        one = batch is not None and x.size == self.layer["features"]
        if one and self.single == "raises":
            raise ValueError("one value per channel has no variance")
        if batch is not None and self.empty == "raises" and not batch.count.all():
            raise ValueError("an empty batch")
        used = batch if by_batch else self.stored()
        if updates:
            self.pending.append(batch)
            if self.timing == "forward":
                self.update(batch)
        if self.used_in_training == "running" and mode == "train" and self.state:
            used, by_batch = self.stored(), False
        share = self.share(weights, used.count) if by_batch else None
        self.tape.append(Call(values, x.shape, used.mean, used.variance, share, batch if by_batch else None))
        if one and self.single != "offset":
            return x if self.single == "input" else np.full(x.shape, np.nan, self.inner)
        y = self.normalise(values, used.mean, used.variance, self.scale, self.offset)
        return rounded(self.back(y, x.shape), self.output_type)

    def plan(self, mode):
        """Return whether the batch's statistics normalise, and whether the moving ones move."""
        training = mode == "train"
        by_batch, updates = training, training
        if training and self.in_effect:
            by_batch, updates = self.frozen_normalisation == "batch", self.frozen_update == "updates"
        if not self.tracked:
            updates = training and self.untracked_training == "updates"
            if not training and self.untracked_inference == "raises":
                raise ValueError("there are no moving statistics")
            if not training:
                by_batch = self.untracked_inference != "running"
                updates = self.untracked_inference == "batch-and-updates"
            if not self.state:
                by_batch, updates = True, False
        return by_batch, updates

    def stored(self):
        """Return the moving statistics, in the type of the arithmetic."""
        if not self.state and self.initial == "unset-raises":
            raise ValueError("there are no moving statistics yet")
        nothing = np.zeros(self.layer["features"], self.inner)
        return Batch(*(self.state.get(name, nothing).astype(self.inner) for name in ("mean", "variance")), None)

    def share(self, weights, count):
        """Return the part of every value of a row in the batch's mean."""
        return (np.ones(1, self.inner) if weights is None else weights) / count[:, None]

    @property
    def scale(self):
        return self.parameters.get("scale", np.ones(self.layer["features"], self.inner))

    @property
    def offset(self):
        return self.parameters.get("offset", np.zeros(self.layer["features"], self.inner))

    # The moving statistics

    def update(self, batch):
        """Move the statistics towards those of a batch."""
        if not batch.count.all() and self.empty != "nan":
            if self.empty == "unchanged":
                return
            batch = Batch(np.zeros_like(batch.mean), np.zeros_like(batch.variance), batch.count)
        self.count += 1
        weight = self.weight(self.count)
        old = self.state if self.complete else self.reached
        estimates = {"mean": batch.mean, "variance": self.entering(batch)}
        moved = {name: self.blend(old.get(name), new, weight) for name, new in estimates.items()}
        if self.nan_recovery == "skipped":
            whole = np.isfinite(batch.mean) & np.isfinite(batch.variance)
            moved = {name: np.where(whole, new, old[name]) for name, new in moved.items()}
        self.store(moved)
        self.reached = dict(self.state)

    def entering(self, batch):
        """Return what enters the moving variance: an estimate, or what one value per channel gives."""
        if (batch.count == 1).all() and self.single_update != "zero":
            return self.state["variance"] if self.single_update == "unchanged" else batch.variance * np.nan
        return self.estimate(batch)

    def store(self, statistics):
        """Hold moving statistics, rounded to their type."""
        self.state.update((name, rounded(value, self.state_type)) for name, value in statistics.items())

    def settle(self, before, collect):
        """Do with the updates of a call what the dialect does."""
        batches = self.pending
        if self.timing == "collected":
            if batches and not collect and self.uncollected == "raises":
                raise RuntimeError("the new statistics were not collected")
            self.catch_up() if collect else self.pending.clear()
        elif self.timing == "forward" and len(batches) == 2 and self.shared != "each-call":
            each = []
            for batch in batches:
                self.state = dict(before)
                self.update(batch)
                each.append(self.state)
            sums = {name: each[0][name] + each[1][name] - old for name, old in before.items()}
            if self.shared == "reversed":
                self.update(batches[0])
            else:
                self.state = {"once": each[0], "last-call": each[1], "summed": sums}[self.shared]

    def catch_up(self):
        """Apply the updates that wait."""
        for batch in self.pending:
            self.update(batch)
        self.pending = []

    # Gradients

    def backward(self, dy):
        if not self.recorded:
            raise RuntimeError("the last call was not recorded")
        if self.again and self.recomputed == "twice":
            self.catch_up()
        if self.timing == "backward":
            self.catch_up()
        with np.errstate(all="ignore"):
            dx, found = self.rows(dy), {"scale": 0.0, "offset": 0.0}
            for call in reversed(self.tape):
                dx, dscale, doffset = self.gradients(call, dx, self.scale)
                found = {"scale": found["scale"] + dscale, "offset": found["offset"] + doffset}
            dx = self.back(dx, self.tape[0].shape)
        parameters = {name: shown(found[name], self.parameter_type) for name in self.parameters}
        return {"x": shown(dx, self.layer["dtypes"]["input"]), **parameters}

    # Freezing and modes

    def freeze(self, where="layer"):
        self.set_frozen(True, where)

    def unfreeze(self, where="layer"):
        self.set_frozen(False, where)

    def set_frozen(self, frozen, where):
        """Freeze or unfreeze, effective when the dialect says so."""
        if where == "parent" and self.frozen_reach == "no":
            return
        if self.compiled and self.frozen_timing == "raises":
            self.broken = True
            raise RuntimeError("the model is compiled; it is too late to freeze it")
        self.frozen = frozen
        if self.frozen_timing == "at-once" or not self.compiled:
            self.in_effect = frozen

    def set_mode(self, mode, where="layer"):
        if where == "layer":
            self.own_mode = mode
        elif self.reach != "no" or self.structure != "plain-list":
            self.own_mode = (self.own_mode or mode) if self.override == "kept" else mode

    def untrack(self, how):
        self.tracked = False
        if how == "remove":
            self.state = {}

    # State

    def get_state(self):
        parameters = {name: shown(value, self.parameter_type) for name, value in self.parameters.items()}
        return {**self.shown_state(self.state), **parameters, "count": np.asarray(self.count)}

    def shown_state(self, state):
        """Return moving statistics in their type."""
        return {name: shown(value, self.state_type) for name, value in state.items()}

    def set_state(self, state):
        self.store({name: state[name] for name in ("mean", "variance") if name in state})
        for name in self.parameters:
            if name in state:
                self.parameters[name] = rounded(state[name], self.parameter_type).astype(self.inner)

    def saved(self):
        """Return all that the layer needs to go on."""
        return {
            "state": dict(self.state),
            "reached": dict(self.reached),
            "parameters": dict(self.parameters),
            "count": self.count,
        }

    def reload(self, missing=()):
        checkpoint = self.saved()
        for name in missing:
            if name != "count":
                raise Unsupported(f"a checkpoint without {name} does not exist")
            if self.missing_counter == "raises":
                raise ValueError(f"the checkpoint has no {name}")
            if self.missing_counter == "reset":
                checkpoint["count"] = 0
        self.__init__(self.layer, structure=self.structure, execution=self.execution, device=self.device)
        self.load(checkpoint)

    def load(self, checkpoint):
        """Go on from what was saved."""
        for name, value in checkpoint.items():
            setattr(self, name, value)

    def snapshot(self):
        return {**{name: value.copy() for name, value in self.state.items()}, "count": np.asarray(self.count)}

    def look(self, held):
        return {name: value if name == "count" else shown(value, self.state_type) for name, value in held.items()}

    # The trainer

    def prepare(self, *, learning_rate):
        self.learning_rate = learning_rate
        if self.frozen_timing != "never" or not self.compiled:
            self.in_effect = self.frozen
        self.compiled = True

    def fit(self, x, target, *, steps, batches=1):
        if self.broken:
            raise RuntimeError("the model was frozen after it was compiled")
        losses = []
        for _ in range(steps):
            parts = zip(np.split(x, batches), np.split(target, batches), strict=True)
            losses.append(self.of_epoch([self.fit_batch(*part) for part in parts]))
        return {"loss": np.asarray(losses, self.loss_type)}

    @property
    def loss_type(self):
        return "float64" if self.output_type == "float64" else "float32"

    def of_epoch(self, losses):
        """Return the loss of an epoch from those of its batches."""
        return losses[-1] if self.loss_scope == "batch" else sum(losses) / len(losses)

    def fit_batch(self, x, target):
        """Take one step; return the loss that is reported for it."""
        y = self.call("train", x).astype(self.inner)
        loss = self.loss(y, target)
        found = self.backward((2 * (y - target) / y.size).astype(self.inner))
        if not self.in_effect:
            for name in self.parameters:
                self.parameters[name] = self.parameters[name] - self.own(self.learning_rate) * found[name]
        return loss if self.reported_loss == "before-update" else self.loss_afterwards(target)

    def loss_afterwards(self, target):
        """Return the loss of the last call with the parameters as they are now."""
        call = self.tape[-1]
        y = self.normalise(call.values, call.mean, call.variance, self.scale, self.offset)
        return self.loss(self.back(y, call.shape), target)

    def loss(self, y, target):
        """Return the mean squared error."""
        return ((y - target) ** 2).mean()

    def evaluate(self, x, target):
        loss = self.loss(self.call("infer", x).astype(self.inner), target)
        return {"loss": np.asarray([loss], self.loss_type)}

    def predict(self, x):
        return self.call("infer", x)

    def facts(self):
        return {
            "momentum": 0.9,
            "epsilon": "required",
            "axis": "required",
            "initial": {"mean": 0, "variance": 1, "scale": 1, "offset": 0},
            "state": ["mean", "variance", "scale", "offset", "count"],
            "counter": "int64",
        }
