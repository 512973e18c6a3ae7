"""The command line; `main` is what `bnspec` calls."""

from bnspec.cli.main import main

__all__ = ["main"]
