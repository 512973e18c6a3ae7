"""The axes of replicas: data-parallel training, in which every replica of the layer is given a share of the batch."""

from bnspec.spec.axis import Axis

REPLICAS = (
    Axis(
        "replicas.plain",
        "Not synchronised over replicas, whose moving statistics remain?",
        {
            "each-own": "every replica's own: they drift apart",
            "first": "those of the first replica: the others take them over with the next call",
            "averaged": "the mean over all replicas: every replica has it",
            "first-when-read": "every replica uses its own; who reads them from outside gets the first replica's",
            "averaged-when-read": "every replica uses its own; who reads them from outside gets their mean",
            "raises": "none: a training step raises",
        },
        by_place=False,
    ),
    Axis(
        "replicas.moments",
        "Synchronised over replicas, every share is normalised by the mean and variance of",
        {
            "pooled": "all values of all shares, each weighing the same",
            "averaged": "all shares, each weighing the same, however few its values: mean and mean square are averaged",
            "local": "its own share alone",
            "raises": "nothing: a synchronised training step raises",
        },
        by_place=False,
    ),
    Axis(
        "replicas.stored-variance",
        "Synchronised over replicas, what is N of the estimator N/(N − 1) that enters the moving variance?",
        {
            "global": "the number of all shares' values",
            "local": "the number of its own share's values",
            "none": "there is none: the population variance is stored",
        },
        by_place=False,
    ),
    Axis(
        "replicas.gradient",
        "The gradients by scale and offset that a replica is left with, where the loss is the sum over all shares:",
        {
            "summed": "the sum over all shares, the gradient of that loss",
            "averaged": "the mean over the replicas, the gradient divided by their number",
            "own": "those of its own share: the caller has to add them up",
        },
        by_place=False,
    ),
)
