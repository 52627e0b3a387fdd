import pytest

from ingest.registry import FeedRegistry, RegistryFull


def test_every_feed_has_one_dense_index_and_keeps_it() -> None:
    registry = FeedRegistry(1000)
    names = [(f"gw-{i % 7}", f"dev-{i % 100}", f"metric-{i // 100}") for i in range(1000)]
    assert [registry.add(*name) for name in names] == list(range(1000))
    assert [registry.add(*name) for name in names] == list(range(1000))
    assert [registry.names(i) for i in range(1000)] == names


def test_names_that_run_into_each_other_are_told_apart() -> None:
    registry = FeedRegistry(8)
    assert registry.add("ab", "c", "d") == 0
    assert registry.add("a", "bc", "d") == 1
    assert registry.find("a", "b", "cd") == -1


def test_a_full_registry_says_so_and_keeps_what_it_has() -> None:
    registry = FeedRegistry(2)
    registry.add("g", "a", "m")
    registry.add("g", "b", "m")
    with pytest.raises(RegistryFull, match="max_feeds"):
        registry.add("g", "c", "m")
    assert registry.add("g", "b", "m") == 1


def test_loaded_keys_take_the_indices_they_had() -> None:
    first = FeedRegistry(10)
    for device in "abc":
        first.add("g", device, "m")
    second = FeedRegistry(10)
    second.load(first.key_of(i) for i in range(3))
    assert [second.find("g", device, "m") for device in "abc"] == [0, 1, 2]
