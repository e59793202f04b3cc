"""What will fail, when, and for how long: by the seed alone, so that the same seed does the same things."""

from __future__ import annotations

import random
from typing import NamedTuple

_DAY = 86_400
#: Steps of a clock, in seconds from what it would be; 0 sets it right.
STEPS = (-_DAY, -3600, -300, -5, 0, 5, 300, 3600, _DAY)


class World(NamedTuple):
    """What runs besides a collector and jobs. `clock`: machines whose clocks can step."""

    kafka: bool = False
    lake: bool = False
    flink: bool = False
    clock: bool = True

    @property
    def options(self) -> list[str]:
        """As the command line has them."""
        names = [f"--{name}" for name in ("kafka", "lake", "flink") if getattr(self, name)]
        return [*names, *([] if self.clock else ["--no-clock"])]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of fault that there is in it; a kind that is named twice comes twice as often."""
        found = ["kill", "pause", "fill", "again", "fold"]
        found += [] if self.flink else ["fold killed", "fold killed", "fold on a full disk"]
        if self.clock:
            found += ["clock of a collector"] if self.flink else ["clock of a collector", "clock of the jobs"]
        if self.kafka:
            found += [f"broker {how}" for how in ("cut", "slow", "silent", "killed", "paused", "restarted")]
        if self.lake:
            found += [f"catalog {how}" for how in ("cut", "slow", "silent", "killed", "paused", "restarted")]
            found += [
                f"storage {how}" for how in ("cut", "slow", "silent", "killed", "paused", "restarted", "500")
            ]
        if self.flink:
            found += [f"{one} killed" for one in ("task manager", "job manager", "job server", "workers")]
        return tuple(found)


class Step(NamedTuple):
    """A fault. `which`: of several, counted from 0 and begun anew; `at`: when in the job that it strikes, as
    a share of how long the last one took; `lasts`: seconds; `by`: seconds of a clock's step."""

    kind: str
    which: int
    at: float
    lasts: float
    by: int

    def __str__(self) -> str:
        if self.kind.startswith("clock"):
            return f"{self.kind} {self.which % 2}: {self.by:+} s"
        return f"{self.kind} ({self.which % 2}, at {self.at:.2f}, for {self.lasts:.2f} s)"


def plan(seed: int, faults: int, world: World) -> list[Step]:
    """That many, one after the other. Every number is drawn for every step, whether its kind asks or not."""
    dice = random.Random(seed)
    kinds = world.kinds
    return [
        Step(dice.choice(kinds), dice.randrange(60), dice.random(), dice.uniform(0.05, 1.5),
             dice.choice(STEPS))
        for _ in range(faults)
    ]  # fmt: skip
