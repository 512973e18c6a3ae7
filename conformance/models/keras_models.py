"""Models of Keras 3 and of tf.keras that are wrong on purpose, one for each confusion, and some that are right."""

import numpy as np

try:
    import keras

    if keras.__version__ < "3":
        from tensorflow import keras
except ImportError:
    from tensorflow import keras

layers = keras.layers


def drawn():
    """Return weights drawn by chance, the same each time."""
    return keras.initializers.GlorotUniform(seed=1)


def convolution(features):
    return layers.Conv2D(features, 3, kernel_initializer=drawn())


def dense():
    return layers.Dense(4, kernel_initializer=drawn())


def batches(number, size=64):
    """Yield batches like the data that the tests explain them on: images of mean 1 and standard deviation 2."""
    random = np.random.RandomState(1)
    for _ in range(number):
        yield (1 + 2 * random.standard_normal((size, 8, 8, 3))).astype("float32")


def network(momentum=0.9, trainable=True):
    """Return a small network: two convolutions with batch normalization."""
    inputs = layers.Input((8, 8, 3))
    x = convolution(8)(inputs)
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum, name="first", trainable=trainable)(x))
    x = convolution(16)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=momentum, name="second", trainable=trainable)(x))
    return keras.models.Model(inputs, dense()(layers.GlobalAveragePooling2D()(x)))


def trained(model, steps, rate=0.0, size=64, same=False):
    """Train for some steps; a rate of 0 moves the statistics alone."""
    model.compile(keras.optimizers.SGD(rate), "mse")
    given = list(batches(1 if same else steps, size))
    for step in range(steps):
        x = given[step % len(given)]
        model.train_on_batch(x, np.full((len(x), 4), 3.0, "float32"))
    return model


def healthy():
    return trained(network(), 80)


def healthy_resumed():
    """One that was compiled with an optimizer that has state, and trained."""
    model = network()
    model.compile("adam", "mse")
    for x in batches(80):
        model.train_on_batch(x, np.zeros((len(x), 4), "float32"))
    return model


class Inner(layers.Layer):
    """A custom layer whose call does not pass `training`."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv, self.bn = convolution(8), layers.BatchNormalization(momentum=0.9)

    def call(self, inputs):
        return self.bn(self.conv(inputs))


class Outer(keras.models.Model):
    """A subclassed model whose call does not pass `training`."""

    def __init__(self, **options):
        super().__init__(**options)
        self.conv, self.bn = convolution(8), layers.BatchNormalization(momentum=0.9)
        self.pool, self.last = layers.GlobalAveragePooling2D(), dense()

    def call(self, inputs):
        x = self.bn(self.conv(inputs))
        return self.last(self.pool(x))


def custom_layer():
    """Story 1, the custom layer."""
    inputs = layers.Input((8, 8, 3))
    x = dense()(layers.GlobalAveragePooling2D()(Inner()(inputs)))
    return trained(keras.models.Model(inputs, x), 60)


def custom_model():
    """Story 1, the custom model."""
    return trained(Outer(), 60)


def momentum_zero():
    """Story 2: one batch, momentum 0; the weights move after the statistics were stored."""
    return trained(network(momentum=0.0), 8, rate=1.0, same=True)


def few_steps():
    """Story 3: 12 images, momentum 0.99, 10 steps."""
    return trained(network(momentum=0.99), 10, size=12)


def frozen():
    """Story 4: a frozen backbone with the statistics of other data."""
    model = trained(network(), 80)
    for layer in model.layers:
        layer.trainable = False
        if hasattr(layer, "moving_mean"):
            layer.moving_mean.assign(np.array(layer.moving_mean) + 3)
            layer.moving_variance.assign(np.array(layer.moving_variance) * 9)
    model.layers[-1].trainable = True
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def frozen_well():
    """A frozen backbone whose statistics fit."""
    model = trained(network(), 80)
    for layer in model.layers:
        layer.trainable = False
    return model


def own_loop():
    """Story 5: a loop that never said training=True; its gradient steps are left out, for they move no statistic."""
    model = network()
    for x in batches(5):
        model(x)
    return model


class Always(layers.Layer):
    """A custom layer that says training=True, whatever it is told."""

    def __init__(self, **options):
        super().__init__(**options)
        self.bn = layers.BatchNormalization(momentum=0.9)

    def call(self, inputs):
        return self.bn(inputs, training=True)


def pinned_training():
    """A layer that is told training=True where it is called."""
    inputs = layers.Input((8, 8, 3))
    x = dense()(layers.GlobalAveragePooling2D()(Always()(convolution(8)(inputs))))
    return trained(keras.models.Model(inputs, x), 60)


def no_layers():
    inputs = layers.Input((8, 8, 3))
    return keras.models.Model(inputs, layers.Conv2D(4, 3)(inputs))


def one_layer():
    return layers.BatchNormalization()
