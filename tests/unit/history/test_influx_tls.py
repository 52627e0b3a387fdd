"""A real InfluxDB 2 behind TLS: who vouches for it is named by the configuration."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from core.errors import UnavailableError
from core.reading import ReadingBatch
from history.query import FeedName, Selection
from history.stores import Store
from tests.unit.certificates import make_certificates
from tests.unit.history.influxd import MISSING, PROGRAM, influxdb
from tests.unit.history.parts import BASE, DAY, rows_of


def test_it_is_written_and_read_over_tls_and_nobody_else_is_believed(tmp_path: Path) -> None:
    if not PROGRAM.exists():
        pytest.skip(MISSING)
    files = make_certificates(tmp_path)
    batch = ReadingBatch.of([0], [BASE], [1.5], [BASE * 10**6])
    feeds = [(0, FeedName("gw", "d0", "depth", ""))]
    with influxdb(tmp_path, tls=(files.server, files.authority)) as address:
        doubted = Store(tmp_path / "other", dataclasses.replace(address, ca_file=files.stranger)).writer()
        with pytest.raises(UnavailableError, match=r"InfluxDB at https://.* does not take it .*certificate"):
            doubted.bring(batch, np.zeros(1, np.int64), feeds, "digest", "name")
        doubted.close()
        store = Store(tmp_path / "history", address)
        writer = store.writer()
        writer.bring(batch, np.zeros(1, np.int64), feeds, "digest", "name")
        history = store.history()
        assert rows_of(history.readings(Selection.of(BASE, BASE + DAY))) == [("d0", BASE, 1.5, BASE * 10**6, 0)]
        history.close()
        writer.close()
