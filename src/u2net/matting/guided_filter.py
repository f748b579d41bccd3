"""The color guided filter of He, Sun and Tang: a map as a local linear function of color."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def linear_model(
    colors: NDArray[np.float32], values: NDArray[np.float32], radius_px: int, epsilon: float
) -> NDArray[np.float32]:
    """For each pixel the linear function of color that fits the values in the windows around it best.

    colors: (H, W, 3) float32 in [0, 1]. values: (H, W) float32. radius_px: of the square windows.
    epsilon: added to the variances; the higher, the flatter the function.
    Returns (H, W, 4) float32: the value is the sum of the first three times the color, plus the fourth.
    Source: "Guided Image Filtering", TPAMI 2013, equations 19 and 20, and the mean over windows, 21.
    """
    window = (2 * radius_px + 1, 2 * radius_px + 1)
    middle = cv2.blur(colors, window)
    level = cv2.blur(values, window)
    with_value = cv2.blur(colors * values[..., None], window) - middle * level[..., None]
    # Two triangular solves of the symmetric 3 x 3 system: by cofactors a grey picture would be lost to rounding.
    (r, g, b), (middle_r, middle_g, middle_b) = cv2.split(colors), cv2.split(middle)
    rr, rg, rb, gg, gb, bb = (
        cv2.blur(one * other, window) - middle_one * middle_other
        for one, other, middle_one, middle_other in [
            (r, r, middle_r, middle_r),
            (r, g, middle_r, middle_g),
            (r, b, middle_r, middle_b),
            (g, g, middle_g, middle_g),
            (g, b, middle_g, middle_b),
            (b, b, middle_b, middle_b),
        ]
    )
    least = epsilon / 4  # what rounding may leave of epsilon
    root_r = np.sqrt(np.maximum(rr + epsilon, least))
    low_rg, low_rb = rg / root_r, rb / root_r
    root_g = np.sqrt(np.maximum(gg + epsilon - low_rg * low_rg, least))
    low_gb = (gb - low_rb * low_rg) / root_g
    root_b = np.sqrt(np.maximum(bb + epsilon - low_rb * low_rb - low_gb * low_gb, least))
    value_r, value_g, value_b = cv2.split(with_value)
    y_r = value_r / root_r
    y_g = (value_g - low_rg * y_r) / root_g
    slope_b = (value_b - low_rb * y_r - low_gb * y_g) / root_b / root_b
    slope_g = (y_g - low_gb * slope_b) / root_g
    slope_r = (y_r - low_rg * slope_g - low_rb * slope_b) / root_r
    offset = level - slope_r * middle_r - slope_g * middle_g - slope_b * middle_b
    model: NDArray[np.float32] = cv2.blur(cv2.merge([slope_r, slope_g, slope_b, offset]), window)
    return model
