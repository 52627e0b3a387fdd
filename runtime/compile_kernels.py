"""Compiles every kernel of the pipeline into numba's cache, once on a machine: `python -m runtime.compile_kernels`.

Set-up runs it, so that the first start does not wait for half a minute of compiling; without it the first start does.
"""

import numpy as np

from alerts.lifecycle import AlertStage
from core.clock import wall_ns
from core.reading import ReadingBatch
from history.as_stored import AsStored, Surveyor
from history.columns import Stored
from history.kernel import in_order, place, stamps
from ingest.codec import Codec
from ingest.decoder import Decoder
from ingest.registry import FeedRegistry
from ingest.rejected import Reason
from ingest.senml import forms_of
from ingest.sequencing import Sequencer
from ingest.units import FeedUnits
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.known_scenes import known_scenes
from runtime.offline import NamedFeeds
from runtime.pipeline import warm_up
from thresholds import by_feed
from thresholds.engine import Engine

_ROOM = 8


def main() -> None:
    """Compile what is not in the cache yet."""
    scenes = known_scenes()
    stage = AlertStage(AlertScenes(scenes), NamedFeeds([]), wall=False)
    chain = Chain(Sequencer(_ROOM), Engine(scenes, max_feeds=_ROOM), stage, wall_ns)
    registry, units = FeedRegistry(_ROOM), FeedUnits(_ROOM, lambda _: None)
    forms = forms_of(registry, _nobody, units, max_pack=1)
    warm_up(Decoder(registry, Codec(_nobody, max_pack=1, forms=forms)), chain)
    _by_feed(Engine(scenes, max_feeds=_ROOM))
    _history()


def _history() -> None:
    """What history puts its readings in order with."""
    none = ReadingBatch.of([], [], [])
    times, feeds = np.empty(0, np.int64), np.empty(0, np.int32)
    columns = (none.feed, none.event_time, none.value, none.arrival, none.quality, times)
    stamps(none.arrival, 0, times)
    in_order(none.feed, none.event_time, feeds, feeds, 0, 0, feeds)
    place(feeds, *columns, feeds, 0, *columns)


def _nobody(*_: str) -> Reason:
    return Reason.UNKNOWN_DEVICE


def _by_feed(engine: Engine) -> None:
    """What only a backtest has: a block without a reading, looked over and decided."""
    lookup = np.full(1, -1, np.int32)
    nothing = Stored(ReadingBatch.of([], [], []), np.empty(0, np.int64), np.empty(0, np.int32))
    given = AsStored(
        files=[[nothing]], rows=0, kept=True, lookup=lookup, start_ms=0, end_ms=0, feeds=(), gaps=(),
    )  # fmt: skip
    frame = by_feed.Frame(lookup=lookup, start_ms=0, end_ms=0, outages=[], until_ms=None)
    (part,) = by_feed.parts(engine, frame, 1)
    part.run((by_feed.Block(one.batch, one.lag) for one in Surveyor(given, 0, []).groups()), lambda _: None)
    part.end(0)


if __name__ == "__main__":
    main()
