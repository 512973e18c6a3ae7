"""The networks of the stories, as users write them; their layers have the names that the reference uses.

A network is told to the reference in a line: operations on the newest array, `fork` keeps it for a later `add` or
`concat`; behind a convolution and a dense layer stands its number of channels. Convolutions are 3 × 3, without bias,
and keep height and width; `halve` is the mean of blocks of 2 × 2, `mean` that of what is left of an image.
"""

RESIDUAL = (
    "conv c1 8, bn b1, relu, fork, conv c2 8, bn b2, relu, conv c3 8, bn b3, add, relu, halve, "
    "conv c4 16, bn b4, relu, mean, dense d 3"
)
"""One block of a ResNet (He et al. 2015, arXiv:1512.03385), then half the size and twice the channels."""

SHRINKING = (
    "conv c1 8, bn b1, relu, halve, fork, conv c2 8, bn b2, relu, conv c3 8, bn b3, add, relu, halve, "
    "conv c4 16, bn b4, relu, halve, conv c5 16, bn b5, relu, halve, conv c6 16, bn b6, relu, mean, dense d 3"
)
"""The same, halved until an image of 16 × 16 is one of 1 × 1."""

DENSE = (
    "conv c1 8, fork, bn b1, relu, conv c2 8, concat, "
    "fork, bn b2, relu, conv c3 8, concat, bn b3, relu, mean, dense d 3"
)
"""A block of a DenseNet (Huang et al. 2016, arXiv:1608.06993): what came before is kept beside what is new."""


def keras_residual(keras, shape, momentum, training=None, epsilon=1e-3):
    """Return RESIDUAL as a functional model; training: what every batch normalization is told in its call, if any."""
    relu, conv, norm = keras_parts(keras, momentum, epsilon, training)
    inputs = keras.layers.Input(shape)
    x = kept = relu(norm("b1", conv("c1", 8, inputs)))
    x = relu(norm("b2", conv("c2", 8, x)))
    x = norm("b3", conv("c3", 8, x))
    x = relu(keras.layers.add([x, kept]))
    x = keras.layers.AveragePooling2D(2)(x)
    x = relu(norm("b4", conv("c4", 16, x)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.models.Model(inputs, keras.layers.Dense(3, name="d")(x))


def keras_shrinking(keras, shape, momentum, epsilon=1e-3):
    """Return SHRINKING as a functional model."""
    relu, conv, norm = keras_parts(keras, momentum, epsilon)
    half = keras.layers.AveragePooling2D
    inputs = keras.layers.Input(shape)
    x = kept = half(2)(relu(norm("b1", conv("c1", 8, inputs))))
    x = relu(norm("b2", conv("c2", 8, x)))
    x = norm("b3", conv("c3", 8, x))
    x = half(2)(relu(keras.layers.add([x, kept])))
    x = half(2)(relu(norm("b4", conv("c4", 16, x))))
    x = half(2)(relu(norm("b5", conv("c5", 16, x))))
    x = relu(norm("b6", conv("c6", 16, x)))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.models.Model(inputs, keras.layers.Dense(3, name="d")(x))


def keras_backbone(keras, shape, momentum, epsilon=1e-3):
    """Return DENSE without its dense layer, as a functional model: what users load with the weights of ImageNet."""
    relu, conv, norm = keras_parts(keras, momentum, epsilon)
    inputs = keras.layers.Input(shape)
    x = conv("c1", 8, inputs)
    x = keras.layers.concatenate([x, conv("c2", 8, relu(norm("b1", x)))])
    x = keras.layers.concatenate([x, conv("c3", 8, relu(norm("b2", x)))])
    x = keras.layers.GlobalAveragePooling2D()(relu(norm("b3", x)))
    return keras.models.Model(inputs, x)


def keras_parts(keras, momentum, epsilon, training=None):
    """Return the layers that the networks are made of, to be called."""
    said = {} if training is None else {"training": training}

    def relu(x):
        return keras.layers.Activation("relu")(x)

    def conv(name, filters, x):
        return keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)(x)

    def norm(name, x):
        return keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=name)(x, **said)

    return relu, conv, norm


def torch_residual(torch, momentum, epsilon=1e-5):
    """Return RESIDUAL as a module."""
    nn = torch.nn

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.c1, self.b1 = torch_conv(nn, 3, 8), nn.BatchNorm2d(8, eps=epsilon, momentum=momentum)
            self.c2, self.b2 = torch_conv(nn, 8, 8), nn.BatchNorm2d(8, eps=epsilon, momentum=momentum)
            self.c3, self.b3 = torch_conv(nn, 8, 8), nn.BatchNorm2d(8, eps=epsilon, momentum=momentum)
            self.c4, self.b4 = torch_conv(nn, 8, 16), nn.BatchNorm2d(16, eps=epsilon, momentum=momentum)
            self.d = nn.Linear(16, 3)

        def forward(self, x):
            x = kept = torch.relu(self.b1(self.c1(x)))
            x = torch.relu(self.b2(self.c2(x)))
            x = torch.relu(self.b3(self.c3(x)) + kept)
            x = nn.functional.avg_pool2d(x, 2)
            x = torch.relu(self.b4(self.c4(x)))
            return self.d(x.mean((2, 3)))

    return Residual()


def torch_shrinking(torch, momentum, epsilon=1e-5):
    """Return SHRINKING as a module."""
    nn = torch.nn

    class Shrinking(nn.Module):
        def __init__(self):
            super().__init__()
            for number, (taken, given) in enumerate([(3, 8), (8, 8), (8, 8), (8, 16), (16, 16), (16, 16)], 1):
                setattr(self, "c%d" % number, torch_conv(nn, taken, given))
                setattr(self, "b%d" % number, nn.BatchNorm2d(given, eps=epsilon, momentum=momentum))
            self.d = nn.Linear(16, 3)

        def forward(self, x):
            half = nn.functional.avg_pool2d
            x = kept = half(torch.relu(self.b1(self.c1(x))), 2)
            x = torch.relu(self.b2(self.c2(x)))
            x = half(torch.relu(self.b3(self.c3(x)) + kept), 2)
            x = half(torch.relu(self.b4(self.c4(x))), 2)
            x = half(torch.relu(self.b5(self.c5(x))), 2)
            x = torch.relu(self.b6(self.c6(x)))
            return self.d(x.mean((2, 3)))

    return Shrinking()


def torch_conv(nn, taken, given):
    """Return a convolution as those of the networks are."""
    return nn.Conv2d(taken, given, 3, padding=1, bias=False)
