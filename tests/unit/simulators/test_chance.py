import numpy as np

from simulators.chance import key, normal, uniform

ROWS = np.arange(200_000, dtype=np.int64)


def test_a_number_depends_on_key_row_and_tick_and_on_nothing_else() -> None:
    of = key(1, "noise", "gas_lel")
    whole = normal(of, ROWS, 17)
    assert np.array_equal(normal(of, ROWS[500:600], 17), whole[500:600])
    assert not np.array_equal(normal(key(2, "noise", "gas_lel"), ROWS, 17), whole)
    assert not np.array_equal(normal(of, ROWS, 18), whole)


def test_the_numbers_are_evenly_and_normally_spread() -> None:
    even, bell = uniform(key(3, "a"), ROWS), normal(key(3, "b"), ROWS, 5)
    assert even.min() >= 0
    assert even.max() < 1
    assert abs(np.histogram(even, 20, (0, 1))[0] / len(ROWS) * 20 - 1).max() < 0.05
    assert abs(bell.mean()) < 0.01
    assert abs(bell.std() - 1) < 0.01
    assert abs(bell).max() < 3.47
    neighbours = np.corrcoef(even[:-1], even[1:])[0, 1]
    assert abs(neighbours) < 0.01


def test_ticks_one_millisecond_apart_are_strangers() -> None:
    of, ticks = key(1, "t"), np.arange(1_700_000_000_000, 1_700_000_100_000, dtype=np.int64)
    row = np.zeros(len(ticks), np.int64)
    values = uniform(of, row, ticks)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.02
