"""Memory whose rows lie in as few cache lines as they can."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresholds.kernel_state import LINE


def aligned(rows: int, dtype: np.dtype[Any], *, behind: int = 0) -> NDArray[Any]:
    """Zeros, shape (rows,), of which the row `behind` begins on a cache line; not touched before they are used."""
    reserve = np.zeros(rows * dtype.itemsize + LINE, np.uint8)
    skip = -(reserve.ctypes.data + behind * dtype.itemsize) % LINE
    return reserve[skip : skip + rows * dtype.itemsize].view(dtype)
