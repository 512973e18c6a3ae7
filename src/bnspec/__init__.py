"""bnspec: how any batch normalization behaves, whether that is right, and what changes before you upgrade."""

__version__ = "0.1.0"
