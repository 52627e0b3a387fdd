"""What is known of Sparkplug edge nodes: their births, which alias means what, and whether anything was missed. Pure.

An alias says something only together with the birth that gave it. So what an edge node sends by alias is read as long
as nothing that it sent since its birth can have been missed, and not a moment longer: a birth that was missed would
turn the readings of one metric into those of another.

References: Sparkplug 3.0.0, chapters 4 to 6 (verified: yes).
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from core.errors import DataLossError

MOST_METRICS = 1_000_000
"""Most metrics of all births together; past it a birth is refused."""
MOST_NODES = 65_536
"""Most edge nodes."""
ASK_MS = 5_000
"""An edge node is asked for its births no more often than this."""
_UNHEARD = -1
_PASSED_OVER = ("Node Control/", "Device Control/")

Key = tuple[str, str]
"""(group, edge node)."""
Birth = tuple[str, int | None, int]
"""A metric as its birth names it: name, alias or None, data type."""


class Heard(enum.Enum):
    """What may be read of a message, by what was heard of its sender before."""

    ALL = enum.auto()
    """Nothing was missed since the birth."""
    NAMED = enum.auto()
    """Something may have been missed: only what carries its name says what it is."""
    OLD = enum.auto()
    """Sent before the birth that holds, and delivered again: it was read then."""


@dataclass(slots=True)
class Metric:
    """A metric of a birth.

    Attributes:
        name: What it is called here; empty for one that is passed over: a command, or the number of the birth.
        datatype: Its type, by the standard's numbers.
    """

    name: str
    datatype: int


class Table:
    """The metrics of one birth.

    Attributes:
        births: As the birth named them.
        by_alias: By alias.
        by_name: By the name that they have in the birth.
        feeds: (feed, data type) by alias, of those whose feed was found.
    """

    __slots__ = ("births", "by_alias", "by_name", "feeds")

    def __init__(self, births: Iterable[Birth]) -> None:
        self.births = tuple(births)
        self.by_alias: dict[int, Metric] = {}
        self.by_name: dict[str, Metric] = {}
        self.feeds: dict[int, tuple[int, int]] = {}
        taken: set[str] = set()
        for name, alias, datatype in self.births:
            metric = Metric(metric_name(name), datatype)
            if metric.name in taken:
                metric.name = name if "/" in name else f"{name}/"  # no name here can have a slash: it is refused
            taken.add(metric.name or name)
            self.by_name[name] = metric
            if alias is not None:
                # One alias for two metrics tells neither: no name here ends with a slash, so that both are refused.
                self.by_alias[alias] = Metric(f"{name}/", datatype) if alias in self.by_alias else metric

    def __len__(self) -> int:
        return len(self.births)


def metric_name(name: str) -> str:
    """What a metric of Sparkplug is called here: `Inputs/A` is `Inputs.A`; empty for one that is passed over."""
    if name == "bdSeq" or name.startswith(_PASSED_OVER):
        return ""
    return name.replace("/", ".")


@dataclass(slots=True)
class EdgeNode:
    """One edge node.

    Attributes:
        key: Group and name.
        bd_seq: Number of its last birth, None if it gave none.
        born_ms: When that was sent, or the last birth of one of its devices.
        sure: Whether nothing can have been missed since.
        expected: The sequence number that comes next; negative on a connection on which it was not heard yet.
        tables: Its births by device; those of the edge node itself under the empty name.
    """

    key: Key
    bd_seq: int | None = None
    born_ms: int = 0
    sure: bool = True
    expected: int = _UNHEARD
    tables: dict[str, Table] = field(default_factory=dict)

    @property
    def metrics(self) -> int:
        """How many there are in its births."""
        return sum(len(table) for table in self.tables.values())


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """An edge node as it is kept."""

    version: int
    bd_seq: int | None
    born_ms: int
    sure: bool
    tables: dict[str, list[Birth]]


_VERSION = 1
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class EdgeNodes:
    """Every edge node that was heard.

    Whoever owns the connection says when it is another one (`on_connection`), whether the broker kept what was sent
    meanwhile (`kept`), and writes down what `take_changed` gives before anything is acknowledged that was read by it.

    Args:
        most_metrics: Most metrics of all births.
        most_nodes: Most edge nodes.
    """

    def __init__(self, *, most_metrics: int = MOST_METRICS, most_nodes: int = MOST_NODES) -> None:
        self.kept = False
        """Whether nothing that was sent at QoS 1 between this connection and the one before can have been missed."""
        self._most_metrics = most_metrics
        self._most_nodes = most_nodes
        self._nodes: dict[Key, EdgeNode] = {}
        self._metrics = 0
        self._asked: dict[Key, int] = {}
        self._changed: set[Key] = set()

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[EdgeNode]:
        return iter(self._nodes.values())

    def find(self, key: Key) -> EdgeNode | None:
        """The edge node, None if no birth of it is known."""
        return self._nodes.get(key)

    def born(self, key: Key, seq: int, bd_seq: int | None, sent_ms: int, table: Table) -> bool:
        """An edge node said what it is: whatever was known of it before holds no more. False where no room is left."""
        before = self._nodes.get(key)
        metrics = self._metrics - (before.metrics if before else 0) + len(table)
        if metrics > self._most_metrics or (before is None and len(self._nodes) >= self._most_nodes):
            return False
        self._metrics = metrics
        self._nodes[key] = EdgeNode(key, bd_seq, sent_ms, expected=(seq + 1) % 256, tables={"": table})
        self._changed.add(key)
        return True

    def device_born(self, node: EdgeNode, device: str, sent_ms: int, table: Table) -> bool:
        """A device of an edge node said what it is. False where no room is left."""
        metrics = self._metrics - len(node.tables.get(device, ())) + len(table)
        if metrics > self._most_metrics:
            return False
        self._metrics = metrics
        node.tables[device] = table
        node.born_ms = max(node.born_ms, sent_ms)
        self._changed.add(node.key)
        return True

    def heard(self, node: EdgeNode, seq: int, sent_ms: int, *, at_least_once: bool) -> Heard:
        """A message other than its birth or death came from an edge node.

        Args:
            node: Which one.
            seq: Its sequence number, 0 to 255.
            sent_ms: When it was sent.
            at_least_once: Whether it came at QoS 1, so that the broker kept it while nobody listened.
        """
        expected, node.expected = node.expected, (seq + 1) % 256
        if node.sure and seq == expected:
            return Heard.ALL
        if node.sure and expected == _UNHEARD and at_least_once and self.kept:
            if sent_ms >= node.born_ms:
                return Heard.ALL
            node.expected = _UNHEARD
            return Heard.OLD
        if node.sure:
            node.sure = False
            self._changed.add(node.key)
        return Heard.NAMED

    def died(self, node: EdgeNode, bd_seq: int | None) -> bool:
        """An edge node is gone: nothing is read before its next birth. False for the death of an earlier life."""
        if bd_seq is not None and node.bd_seq is not None and bd_seq != node.bd_seq:
            return False
        self._metrics -= node.metrics
        node.tables.clear()
        node.sure = False
        self._changed.add(node.key)
        return True

    def device_died(self, node: EdgeNode, device: str) -> None:
        """A device of an edge node is gone."""
        table = node.tables.pop(device, None)
        if table is not None:
            self._metrics -= len(table)
            self._changed.add(node.key)

    def may_ask(self, key: Key, now_ms: int) -> bool:
        """Whether an edge node may be asked for its births now; then it was."""
        if now_ms - self._asked.get(key, -ASK_MS) < ASK_MS:
            return False
        if len(self._asked) >= self._most_nodes:
            self._asked = {one: at for one, at in self._asked.items() if now_ms - at < ASK_MS}
            if len(self._asked) >= self._most_nodes:
                return False
        self._asked[key] = now_ms
        return True

    def on_connection(self) -> None:
        """The connection is another one: what was sent in between may have been missed."""
        self._asked.clear()
        for node in self._nodes.values():
            node.expected = _UNHEARD

    def forget_feeds(self) -> None:
        """Devices are others now: feeds are looked for again."""
        for node in self._nodes.values():
            for table in node.tables.values():
                table.feeds.clear()

    def take_changed(self) -> list[tuple[Key, bytes]]:
        """What has to be kept of edge nodes that changed since this was asked last."""
        if not self._changed:
            return []
        changed, self._changed = self._changed, set()
        return [(key, self._kept(self._nodes[key])) for key in sorted(changed)]

    def load(self, kept: Iterable[tuple[Key, bytes]]) -> None:
        """Take up what `take_changed` gave.

        Raises:
            DataLossError: If it cannot be read.
        """
        for key, body in kept:
            try:
                node = _decode(body)
            except msgspec.MsgspecError as error:
                raise DataLossError(f"the births of {'/'.join(key)} cannot be read: {error}") from error
            if node.version != _VERSION:
                raise DataLossError(f"the births of {'/'.join(key)} are of version {node.version}, not {_VERSION}")
            tables = {device: Table(births) for device, births in node.tables.items()}
            self._nodes[key] = EdgeNode(key, node.bd_seq, node.born_ms, node.sure, tables=tables)
            self._metrics += self._nodes[key].metrics

    @staticmethod
    def _kept(node: EdgeNode) -> bytes:
        tables = {device: list(table.births) for device, table in node.tables.items()}
        return _encode(_Kept(_VERSION, node.bd_seq, node.born_ms, node.sure, tables))
