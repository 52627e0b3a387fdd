"""No kernel is compiled while readings wait."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import numpy as np
from city.cases import cases_when_asked
from city.catalogue import load_catalogue, shipped
from city.device import Device
from core.clock import wall_ns
from ingest import kernel, kernel_names, kernel_sequence
from ingest.codec import Codec
from ingest.decoder import Decoder
from ingest.journal import Entry, decode_batch, encode_batch
from ingest.registry import FeedRegistry
from ingest.senml import forms_of
from ingest.units import FeedUnits
from ingest.sequencing import Sequencer
from runtime.chain import Chain
from runtime.pipeline import warm_up
from tests.laws.test_door_laws import frame
from thresholds import kernel as deciding
from thresholds.check import load_scenes
from thresholds.engine import Engine

def compiled():
    found = [k for room in (kernel, kernel_names, kernel_sequence, deciding) for k in vars(room).values()]
    kernels = [k for k in found if hasattr(k, "signatures")]
    return {(k.py_func.__module__, k.py_func.__name__): len(k.signatures) for k in kernels}

scenes, findings = load_scenes([shipped("scenes")], load_catalogue(), cases=cases_when_asked())
assert not findings
registry, engine = FeedRegistry(9), Engine(scenes, max_feeds=9)
def resolve(gateway, device, metric):
    feed = registry.find(gateway, device, metric)
    if feed < 0:
        feed = registry.add(gateway, device, metric)
        engine.bind(feed, Device(device, gateway, "road-water-level"), metric)
    return feed
chain = Chain(Sequencer(9), engine, None, wall_ns)
forms = forms_of(registry, resolve, FeedUnits(9, lambda _: "cm"), max_pack=100)
decoder = Decoder(registry, Codec(resolve, max_pack=100, forms=forms))
warm_up(decoder, chain)
before = compiled()
one = frame("sw/v1/g/tele/d", b'{"t": 5, "v": {"depth_cm": 1}}', packet_id=1)
many = frame("sw/v1/g/senml", b"[%s]" % b",".join([b'{"n":"d/depth_cm","u":"mm","v":1}'] * 9), packet_id=1)
data = np.frombuffer(bytearray(3 * one + many), np.uint8)
taken = decoder.take(data, 0, len(data), arrival=10**12, latest_ms=10**9)
for entry in taken.entries:
    chain.on_batch(entry)
    for rows in (1, 2):  # as a recovery reads them
        chain.on_batch(decode_batch(Entry(1, *encode_batch(entry[:rows]))))
chain.on_timer(10**6 + 1)
assert engine.decisions >= 1, engine.decisions
assert taken.slow == 2
after = compiled()
assert after == before, {name: (before[name], n) for name, n in after.items() if n != before[name]}
"""


def test_the_first_reading_and_the_first_that_is_replayed_find_every_kernel_compiled() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
