"""Models of torch that are wrong on purpose, one for each confusion, and some that are right."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def batches(number, size=64):
    """Yield batches like the data that the tests explain them on: images of mean 1 and standard deviation 2."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(number):
        yield 1 + 2 * torch.randn(size, 3, 8, 8, generator=generator)


def network(momentum=0.1, **options):
    """Return a small network: two convolutions with batch normalization, and one at 1×1 at the end."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, momentum=momentum, **options), nn.ReLU(),
        nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16, momentum=momentum, **options), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip


def trained(model, steps, rate=0.0, size=64):
    """Train for some steps; a rate of 0 moves the statistics alone."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for x in batches(steps, size):
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
    return model


def healthy():
    return trained(network(), 80).eval()


def left_in_train():
    return trained(network(), 80)


def forgot_train():
    return trained(network().eval(), 40)


def child_in_eval():
    model = network()
    model[1].eval()
    return trained(model, 80)


def momentum_one():
    """Story 2: torch's momentum of 1 is Keras' 0; the weights move after the statistics were stored."""
    model = network(momentum=1.0)
    x = next(batches(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(3):
        optimizer.zero_grad()
        (model(x) - 3).pow(2).mean().backward()
        optimizer.step()
    return model.eval()


def few_steps():
    return trained(network(momentum=0.01), 10).eval()


def frozen():
    """Story 4, as PyTorch's own pages freeze: the parameters alone."""
    model = trained(network(), 80)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    foreign(model)
    return model


def frozen_in_eval():
    """Story 4: the layers are kept in inference mode, with the statistics of other data."""
    model = frozen()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return model


def foreign(model):
    """Give the layers the statistics of other data."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.add_(3.0)
                module.running_var.mul_(9.0)


def other_data():
    model = trained(network(), 80)
    foreign(model)
    return model.eval()


class PlainList(nn.Module):
    """Keeps its layers where train() and eval() do not find them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.mean(dim=(2, 3))


def plain_list():
    return PlainList()


class Recomputed(nn.Module):
    """Computes its block again in the backward pass."""

    def __init__(self):
        super().__init__()
        self.block, self.last = network()[:3], nn.Conv2d(8, 2, 1)

    def forward(self, x):
        return self.last(checkpoint(self.block, x.requires_grad_(True)))


def recomputed():
    return trained_block(Recomputed())


def trained_block(model):
    with torch.no_grad():
        for x in batches(80):
            model.block(x)
    return model


class Shared(nn.Module):
    """Calls one layer twice, on inputs that differ."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.bn, self.unused = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.bn(10 + 5 * self.bn(x))


def shared():
    model = Shared()
    with torch.no_grad():
        for x in batches(80):
            model(x)
    return model


def untracked():
    return network(track_running_stats=False)


def cumulative():
    return trained(network(momentum=None), 40).eval()


def not_finite():
    """One bad batch spoilt the statistics for good."""
    model = trained(network(), 5)
    with torch.no_grad():
        model(torch.full((4, 3, 8, 8), float("nan")))
    return model.eval()


def no_layers():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


def raises():
    raise RuntimeError("the weights are not there")
