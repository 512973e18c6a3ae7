"""Every file of `conformance/environments/` is a tox environment; uv is told of the Pythons and wheels there are."""

import os
import sys
from pathlib import Path

from tox.plugin import impl

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "src"))

from bnspec.paths import uv_environ  # noqa: E402

wanted = uv_environ()
os.environ.clear()
os.environ.update(wanted)


@impl
def tox_extend_envs() -> tuple[str, ...]:
    """Name the environments."""
    return tuple(sorted(path.stem for path in (ROOT / "conformance" / "environments").glob("*.txt")))
