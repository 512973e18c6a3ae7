"""ResNet-50 of keras.applications, without trained weights: 53 layers of batch normalization."""

import keras


def make_model():
    return keras.applications.ResNet50(weights=None)
