"""ResNet-50 (He et al. 2015, arXiv:1512.03385) written out in torch: 53 layers of batch normalization."""

from torch import nn

BLOCKS = ((3, 64), (4, 128), (6, 256), (3, 512))


def convolved(inputs, outputs, size, stride=1):
    return [
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Block(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.main = nn.Sequential(
            *convolved(inputs, width, 1), nn.ReLU(), *convolved(width, width, 3, stride), nn.ReLU(),
            *convolved(width, 4 * width, 1),
        )  # fmt: skip
        same = inputs == 4 * width and stride == 1
        self.shortcut = nn.Sequential() if same else nn.Sequential(*convolved(inputs, 4 * width, 1, stride))
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.main(x) + self.shortcut(x))


def make_model():
    parts = [*convolved(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for number, (repeats, width) in enumerate(BLOCKS):
        for repeat in range(repeats):
            parts.append(Block(inputs, width, 2 if number and not repeat else 1))
            inputs = 4 * width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))
