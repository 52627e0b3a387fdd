"""Compiles every kernel of the pipeline into numba's cache, once on a machine: `python -m runtime.compile_kernels`.

Set-up runs it, so that the first start does not wait for half a minute of compiling; without it the first start does.
"""

from alerts.lifecycle import AlertStage
from core.clock import wall_ns
from ingest.codec import Codec
from ingest.decoder import Decoder
from ingest.registry import FeedRegistry
from ingest.rejected import Reason
from ingest.sequencing import Sequencer
from runtime.alert_scenes import AlertScenes
from runtime.chain import Chain
from runtime.known_scenes import known_scenes
from runtime.offline import NamedFeeds
from runtime.pipeline import warm_up
from thresholds.engine import Engine

_ROOM = 8


def main() -> None:
    """Compile what is not in the cache yet."""
    scenes = known_scenes()
    stage = AlertStage(AlertScenes(scenes), NamedFeeds([]), wall=False)
    chain = Chain(Sequencer(_ROOM), Engine(scenes, max_feeds=_ROOM), stage, wall_ns)
    codec = Codec(lambda *_: Reason.UNKNOWN_DEVICE, max_pack=1)
    warm_up(Decoder(FeedRegistry(_ROOM), codec), chain)


if __name__ == "__main__":
    main()
