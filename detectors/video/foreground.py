"""How much of the picture moves: frames in, one derived reading out. It measures and never alerts."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

METRIC = "foreground_share"
_SHADOW = 200
"""MOG2 marks shadows with 127 and foreground with 255."""


@dataclass(frozen=True, slots=True)
class ForegroundOptions:
    """Settings of the background model.

    Attributes:
        width: Frames are reduced to this width before anything else, pixels.
        history: Frames that the background remembers.
        variance: MOG2's `varThreshold`, squared distance in standard deviations.
        warm_up: First frames that give no reading: the background is not known yet.
        open_px: Size of the opening that removes single noisy pixels; 0 for none.
    """

    width: int = 160
    history: int = 200
    variance: float = 16.0
    warm_up: int = 20
    open_px: int = 3


class ForegroundShare:
    """Share of the picture, 0 to 1, that differs from the background and is no shadow.

    References:
        Zivkovic, "Improved adaptive Gaussian mixture model for background subtraction", ICPR 2004 (verified: no);
        OpenCV documentation, BackgroundSubtractorMOG2 (verified: yes).
    """

    def __init__(self, options: ForegroundOptions | None = None) -> None:
        self._options = options or ForegroundOptions()
        self._seen = 0
        self._model = cv2.createBackgroundSubtractorMOG2(
            history=self._options.history, varThreshold=self._options.variance, detectShadows=True
        )
        size = self._options.open_px
        self._kernel = np.ones((size, size), np.uint8) if size else None

    def on_frame(self, frame: Grey | NDArray[np.uint8]) -> float | None:
        """The share after this frame; None while the background is being learned.

        Args:
            frame: Grey, shape (h, w), or BGR, shape (h, w, 3), uint8; not written to.

        Raises:
            ValueError: If it has another shape or is empty.
        """
        if frame.ndim not in (2, 3) or frame.size == 0:
            raise ValueError(f"a frame has the shape (h, w) or (h, w, 3), this one has {frame.shape}")
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        height = max(1, round(grey.shape[0] * self._options.width / grey.shape[1]))
        small = cv2.resize(grey, (self._options.width, height), interpolation=cv2.INTER_AREA)
        mask = (self._model.apply(small) > _SHADOW).astype(np.uint8)
        if self._kernel is not None:
            mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, self._kernel), np.uint8)
        self._seen += 1
        if self._seen <= self._options.warm_up:
            return None
        return float(mask.mean())
