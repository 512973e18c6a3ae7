"""Print the targets whose results are committed: every environment, and once every other adapter that one can run.

for target in $(uv run python tools/targets.py); do uv run bnspec run $target; done
"""

from bnspec.environments import listed
from bnspec.targets import adapters


def main() -> None:
    """Print one target a line; the main adapter of an environment goes by the environment's name."""
    mains = {environment.name: adapters(environment)[0].name for environment in listed()}
    print("numpy", *mains, sep="\n")
    seen = set(mains.values())
    for environment in reversed(listed()):  # the oldest Python first: some adapters are for what is old
        for adapter in adapters(environment):
            if adapter.name not in seen:
                seen.add(adapter.name)
                print(f"{environment.name}/{adapter.name}")


if __name__ == "__main__":
    main()
