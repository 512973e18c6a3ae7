"""Replicas: correct ones in other dialects, and wrong ones."""

from arithmetic import Batch
from correct import Correct
from replicated import Replicated

TOGETHER = ("replicas.moments", "replicas.stored-variance", "replicas.union")


def of(**attributes):
    """Return replicas with other attributes."""
    return type("Replicated", (Replicated,), attributes)


# Correct


class Averaged(Correct):
    """Every share weighs the same; so do the moving statistics of layers that do not synchronise. DDP's gradients."""

    Several = of(moments="averaged", remaining="averaged", gradient="averaged")


class Local(Correct):
    """Synchronised in name alone; the first replica's statistics remain, and gradients are added up."""

    stored_variance, Several = "sample", of(moments="local", stored="local", remaining="first", gradient="summed")


class SampleOfAll(Correct):
    """N is that of all shares; who reads the statistics of layers that do not synchronise gets the first's."""

    stored_variance, Several = "sample", of(remaining="first-when-read")


class AveragedWhenRead(Correct):
    """Who reads the statistics gets their mean."""

    Several = of(remaining="averaged-when-read")


class NotTogether(Correct):
    """There are no replicas: they raise."""

    Several = of(moments="raises", remaining="raises")


# Wrong


class VariancesAveraged(Correct):
    """What the shares' means differ by is not in the variance."""

    fault, clause = "variances of the replicas averaged", TOGETHER

    class Several(Replicated):
        def together(self, own):
            parts = self.parts(own)
            mean, variance = (
                sum(part * getattr(batch, name) for part, batch in zip(parts, own, strict=True))
                for name in ("mean", "variance")
            )
            return Batch(mean, variance, None)


class SecondUsesItsOwn(Correct):
    """The second replica is left out: it uses its own statistics."""

    fault, clause = "replica 1 uses its own statistics", TOGETHER

    class Several(Replicated):
        def used(self, own, number):
            return own[number] if number == 1 else super().used(own, number)


class SecondStoresItsOwn(Correct):
    """The second replica normalises by the statistics of all, and stores its own."""

    fault, clause = "replica 1 stores its own statistics", TOGETHER

    class Several(Replicated):
        def train(self, shares, masks=None, dys=None):
            before = self.layers[1].get_state()
            shown = super().train(shares, masks, dys)
            layer = self.layers[1]
            if self.synchronised:
                layer.set_state({name: before[name] for name in ("mean", "variance")})
                weights = layer.weights(masks[1] if masks else None, shares[1].shape)
                layer.update(layer.statistics(layer.rows(shares[1]), weights))
            return shown


class OwnCountStored(Correct):
    """N/(N − 1) of the share on the variance of all."""

    fault, clause = "N of the share in the stored estimator", ("replicas.stored-variance",)
    stored_variance, Several = "sample", of(stored="local")


class ReplicasCounted(Correct):
    """N/(N − 1) with the number of replicas for N."""

    fault, clause = "N the number of replicas", ("replicas.stored-variance", "replicas.union")
    stored_variance = "sample"

    class Several(Replicated):
        def entering(self, own, number):
            return 0 * own[number].count + self.count


class GradientOfItsShare(Correct):
    """Σ dy and Σ dy·x̂ of the share, divided by the N of all."""

    fault, clause = "gradient without the other replicas' terms", ("replicas.union",)

    class Several(Replicated):
        def terms(self, found, number):
            return found[number].dscale, found[number].doffset


class GradientOverItsCount(Correct):
    """Σ dy and Σ dy·x̂ of all, divided by the N of the share."""

    fault, clause = "gradient divided by the share's N", ("replicas.union",)

    class Several(Replicated):
        def part_of_value(self, found, number):
            return super().part_of_value(found[number : number + 1], 0)


class ScaleGradientLeft(Correct):
    """The gradient by the offset is added up, that by the scale is not."""

    fault, clause = "scale gradient not reduced", ("replicas.gradient",)

    class Several(Replicated):
        gradient = "summed"

        def reduced(self, found, number):
            own = found[number].dscale
            return dict(super().reduced(found, number), scale=own)


class LastRemains(Correct):
    """Every replica begins with the statistics of the last one."""

    fault, clause = "the last replica's statistics remain", ("replicas.plain",)

    class Several(Replicated):
        def take_over(self):
            if self.trained and self.alone:
                self.share_state(self.layers[-1].state)


class SynchronisedUnasked(Correct):
    """Layers that should not synchronise do."""

    fault, clause = "plain replicas synchronise", ("replicas.shares",)

    class Several(Replicated):
        def train(self, shares, masks=None, dys=None):
            self.synchronised = True
            return super().train(shares, masks, dys)
