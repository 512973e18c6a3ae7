"""The custom layer: convolution and batch normalization in a user's layer that does not pass the mode on."""

from bnspec.worker.stories.recording import import_keras, keras_fit

TITLE = "The custom layer that trains and does not validate"
QUESTION = (
    "I have put convolution and batch normalization into a layer of my own, so that I need not repeat them. Its call "
    "just calls the one after the other. The network trains to 100 %, on the validation images it guesses. The same "
    "network without my layer is fine. What did I forget?"
)
CLAUSES = ("modes.nested", "stats.uncollected", "stats.initial")
NETWORK = "conv c1 8, bn b1, relu, halve, conv c2 8, bn b2, relu, halve, conv c3 8, bn b3, relu, mean, dense d 3"
EPSILON = 1e-3
IMAGES = {"seed": 1, "count": 60, "size": 8, "contrast": 0.1}
HELD_OUT = {"seed": 2, "count": 60, "size": 8, "contrast": 0.1}
ENVIRONMENTS = (
    "py36-keras-2.2.4-tensorflow-1.12.0",
    "py37-tensorflow-2.0.0",
    "py311-tensorflow-2.15.1",
    "py311-keras-3.15.1-tensorflow-2.21.0",
    "py311-keras-3.15.1-jax-0.10.2",
    "py311-keras-3.15.1-torch-2.13.0",
)
SCENES = {
    "asked": {"says": "in a layer of one's own, without `training`", "keras": "own_layer", "keep": 0.9,
              "picture": True},
    "model": {"says": "in a model of one's own, without `training`", "keras": "own_model", "keep": 0.9,
              "picture": True},
    "cure": {"says": "a model of one's own that passes `training` on", "keras": "passing_on", "keep": 0.9,
             "not in": ("py36-keras-2.2.4-tensorflow-1.12.0",)},
    "plain": {"says": "no layer of one's own: a function that applies both", "keras": "function", "keep": 0.9},
}  # fmt: skip
EXPLAINED, EXPLAINED_IN = {"keras": ("model", "training-not-reached")}, "py311-keras-3.15.1-tensorflow-2.21.0"
PICTURE, ASKED, CURES = "losses", "own_layer", ("passing_on", "function")


def own_layer(api, x, labels, start, keep, held_out):
    keras = import_keras(api)

    class ConvNorm(keras.layers.Layer):
        def __init__(self, number, **options):
            super().__init__(**options)
            self.conv = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="c%d" % number)
            self.norm = keras.layers.BatchNormalization(momentum=keep, epsilon=EPSILON, name="b%d" % number)

        def build(self, input_shape):
            self.conv.build(input_shape)
            self.norm.build(tuple(input_shape[:-1]) + (8,))
            if not self.trainable_weights:  # Keras did not look into a layer then; everybody listed what is inside
                self._trainable_weights = self.conv.trainable_weights + self.norm.trainable_weights
            super().build(input_shape)

        def call(self, inputs):
            return self.norm(self.conv(inputs))

        def compute_output_shape(self, input_shape):
            return tuple(input_shape[:-1]) + (8,)

    return train(keras, functional(keras, x.shape[1:], ConvNorm), x, labels, start, held_out)


def own_model(api, x, labels, start, keep, held_out):
    keras = import_keras(api)

    class Network(keras.models.Model):
        def __init__(self):
            super().__init__()
            define(self, keras, keep)

        def call(self, inputs):
            x = self.pool(self.relu(self.norm1(self.conv1(inputs))))
            x = self.pool(self.relu(self.norm2(self.conv2(x))))
            x = self.relu(self.norm3(self.conv3(x)))
            return self.dense(self.mean(x))

    return train(keras, Network(), x, labels, start, held_out)


def passing_on(api, x, labels, start, keep, held_out):
    keras = import_keras(api)

    class Network(keras.models.Model):
        def __init__(self):
            super().__init__()
            define(self, keras, keep)

        def call(self, inputs, training=None):
            x = self.pool(self.relu(self.norm1(self.conv1(inputs), training=training)))
            x = self.pool(self.relu(self.norm2(self.conv2(x), training=training)))
            x = self.relu(self.norm3(self.conv3(x), training=training))
            return self.dense(self.mean(x))

    return train(keras, Network(), x, labels, start, held_out)


def function(api, x, labels, start, keep, held_out):
    keras = import_keras(api)

    def conv_norm(number):
        conv = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="c%d" % number)
        norm = keras.layers.BatchNormalization(momentum=keep, epsilon=EPSILON, name="b%d" % number)
        return lambda inputs: norm(conv(inputs))

    return train(keras, functional(keras, x.shape[1:], conv_norm), x, labels, start, held_out)


def functional(keras, shape, conv_norm):
    relu, half = keras.layers.Activation("relu"), keras.layers.AveragePooling2D(2)
    inputs = keras.layers.Input(shape)
    x = half(relu(conv_norm(1)(inputs)))
    x = half(relu(conv_norm(2)(x)))
    x = keras.layers.GlobalAveragePooling2D()(relu(conv_norm(3)(x)))
    return keras.models.Model(inputs, keras.layers.Dense(3, name="d")(x))


def define(self, keras, keep):
    for number in (1, 2, 3):
        conv = keras.layers.Conv2D(8, 3, padding="same", use_bias=False, name="c%d" % number)
        norm = keras.layers.BatchNormalization(momentum=keep, epsilon=EPSILON, name="b%d" % number)
        setattr(self, "conv%d" % number, conv)
        setattr(self, "norm%d" % number, norm)
    self.relu, self.pool = keras.layers.Activation("relu"), keras.layers.AveragePooling2D(2)
    self.mean, self.dense = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, name="d")


def train(keras, model, x, labels, start, held_out):
    return keras_fit(keras, model, x, labels, 60, start, rate=0.1, validation=held_out)


def cause(found):
    old = found("asked", "py36-keras-2.2.4-tensorflow-1.12.0")
    new = found("model", "py311-keras-3.15.1-tensorflow-2.21.0")
    return (
        "In Keras 2.2.4 the layer inside is in the right mode, but nobody collects its updates: in training it "
        "normalises with the batch (loss {:.2f}, accuracy {:.0f} %), in inference with the mean 0 and the variance 1 "
        "that it was made with (loss {:.2f}, accuracy {:.0f} % on the same images). tf.keras and Keras 3 collect them "
        "and hand the mode on into layers; but in a subclassed model of Keras 3 whose call does not take `training`, "
        "fit runs every batch normalization in inference mode, so that it never normalises: loss {:.2f} after {} steps."
    ).format(
        old["loss"], 100 * old["accuracy"], old["evaluate"]["loss"], 100 * old["evaluate"]["accuracy"], new["loss"],
        new["steps"],
    )  # fmt: skip


def instead(found):
    old = found("plain", "py36-keras-2.2.4-tensorflow-1.12.0")
    new = found("cure", "py311-keras-3.15.1-tensorflow-2.21.0")
    return (
        "Take `training=None` in every call of your own and hand it to each batch normalization: in Keras 3.15 the "
        "same subclassed model reaches loss {:.2f} in training and {:.2f} in inference. Before tf.keras there is no "
        "way to tell Keras of the updates of a layer in a layer that is worth it; write a function that applies both "
        "layers instead: {:.2f} and {:.2f} in Keras 2.2.4."
    ).format(new["loss"], new["evaluate"]["loss"], old["loss"], old["evaluate"]["loss"])
