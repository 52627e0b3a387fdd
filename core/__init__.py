"""Types that travel between rooms: readings, clock, ids, errors, the stage contract."""
