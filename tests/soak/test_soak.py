"""The whole system under a steady load: it takes no more memory, files or threads at the end than after its warm-up.

`make soak minutes=60` runs long; `make test` a short form of it, so that it cannot rot.
"""

import os
import statistics
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.chaos.system import Gateway, System, wait_until
from tests.chaos.truth import Truth

pytestmark = [pytest.mark.soak, pytest.mark.broker]

SECONDS = float(os.environ.get("SCENEWATCH_SOAK_S", "6"))
RATE = 1_000
SAMPLES = 24
WARM = 8
"""So many samples are the warm-up: caches fill, the first segments are made."""
ROLES = ("broker", "hub", "pipeline")
MORE_FILES = 8
"""Connections and database files come and go."""
MORE_BYTES = 24 << 20
"""An allocator keeps what it had; a leak of a reading's size passes this within minutes."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds."""

    resident: int
    files: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """As the kernel says."""
        folder = Path(f"/proc/{pid}")
        pages = int((folder / "statm").read_text().split()[1])
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE"),
            len(list((folder / "fd").iterdir())),
            len(list((folder / "task").iterdir())),
        )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks /proc")
@pytest.mark.timeout(SECONDS + 300)
def test_under_a_steady_load_nothing_grows_and_nothing_is_lost(tmp_path: Path) -> None:
    truth = Truth(feeds=50)
    seen: dict[str, list[Held]] = {role: [] for role in ROLES}
    pause = threading.Event()
    with System(tmp_path, truth.devices(), truth.scene()) as system, Gateway(system, truth, rate=RATE) as gateway:
        for number in range(SAMPLES):
            pause.wait(SECONDS / SAMPLES)
            for role in ROLES:
                seen[role].append(Held.of(system.supervisor.pid(role)))
            told = " ".join(f"{role} {seen[role][-1].resident >> 20} MiB" for role in ROLES)
            sys.stdout.write(f"{number + 1}/{SAMPLES}: {gateway.acknowledged} readings, {told}\n")
        sent = gateway.finish()
        wait_until(lambda: system.drained(sent), 60, "everything sent is in the journal and delivered")
        assert set(system.readings_in_journal()) == set(sent)
        assert {(a["place"], a["raised_at"]) for a in system.alerts()} == set(truth.expected(sent))
        assert [system.supervisor.restarts(role) for role in ROLES] == [0, 0, 0]
    for role, held in seen.items():
        warm, late = held[WARM : 2 * WARM], held[2 * WARM :]
        assert max(one.files for one in late) <= max(one.files for one in warm) + MORE_FILES, role
        assert max(one.threads for one in late) <= max(one.threads for one in warm) + 1, role
        grown = statistics.median(one.resident for one in late) - statistics.median(one.resident for one in warm)
        assert grown <= MORE_BYTES, f"{role} took {grown / (1 << 20):.0f} MiB more"
