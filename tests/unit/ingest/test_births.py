"""Births of edge nodes on disk."""

import sqlite3
from pathlib import Path

import pytest

from core.errors import DataLossError, UnavailableError
from ingest.births import Births
from ingest.edge_nodes import EdgeNodes, Table


def known(births: Births) -> EdgeNodes:
    nodes = EdgeNodes()
    nodes.load(births.load())
    return nodes


def test_what_was_written_is_there_after_a_start_the_last_of_each(tmp_path: Path) -> None:
    births, nodes = Births(tmp_path / "edge.sqlite"), EdgeNodes()
    nodes.born(("g", "n1"), 0, 3, 100, Table([("a/b", 1, 10), ("bdSeq", None, 4)]))
    nodes.born(("g", "n2"), 0, None, 100, Table([]))
    births.write(nodes.take_changed())
    assert not nodes.take_changed()
    node = nodes.find(("g", "n1"))
    assert node is not None
    nodes.device_born(node, "d", 200, Table([("x", 2, 9)]))
    births.write(nodes.take_changed())
    births.close()

    again = Births(tmp_path / "edge.sqlite")
    found = known(again).find(("g", "n1"))
    again.close()
    assert found is not None
    assert (found.bd_seq, found.born_ms, found.sure) == (3, 200, True)
    assert {device: table.births for device, table in found.tables.items()} == {
        "": (("a/b", 1, 10), ("bdSeq", None, 4)),
        "d": (("x", 2, 9),),
    }
    assert found.tables[""].by_alias[1].name == "a.b"


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "edge.sqlite").write_text("no database, but long enough to be looked at as if it were one" * 20)
    with pytest.raises(UnavailableError, match=r"edge\.sqlite cannot be opened for births of edge nodes"):
        Births(tmp_path / "edge.sqlite")


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x95\x02\xc0\x00\xc3\x80"])
def test_births_that_cannot_be_read_are_told(tmp_path: Path, body: bytes) -> None:
    births = Births(tmp_path / "edge.sqlite")
    births.write([(("g", "n1"), body)])
    with pytest.raises(DataLossError, match="the births of g/n1"):
        known(births)
    births.close()


def test_what_cannot_be_written_is_told_and_nothing_of_it_is_there(tmp_path: Path) -> None:
    births = Births(tmp_path / "edge.sqlite")
    with sqlite3.connect(tmp_path / "edge.sqlite", isolation_level=None) as beside:
        beside.execute("DROP TABLE edge_node")
    beside.close()
    with pytest.raises(UnavailableError, match="is the disk full"):
        births.write([(("g", "n1"), b"x")])
    births.close()
