"""What is made of a cutout: crop, background, shadow, paste, panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach

if TYPE_CHECKING:
    from u2net.compose.background import Gradient as Gradient
    from u2net.compose.background import parse_background as parse_background
    from u2net.compose.crop import CROPS as CROPS
    from u2net.compose.crop import Crop as Crop
    from u2net.compose.cutout import Cutout as Cutout
    from u2net.compose.cutout import cutout as cutout
    from u2net.compose.highlight import STYLES as STYLES
    from u2net.compose.highlight import highlight as highlight
    from u2net.compose.layout import Layout as Layout
    from u2net.compose.layout import apply_layout as apply_layout
    from u2net.compose.layout import crop as crop
    from u2net.compose.lens_blur import defocused as defocused
    from u2net.compose.match_view import Location as Location
    from u2net.compose.match_view import match_view as match_view
    from u2net.compose.panel import panel as panel
    from u2net.compose.panel import sides_panel as sides_panel
    from u2net.compose.parallax import parallax as parallax
    from u2net.compose.paste import Placement as Placement
    from u2net.compose.paste import paste as paste
    from u2net.compose.shadow import add_shadow as add_shadow

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.compose.background": ("Gradient", "parse_background"),
        "u2net.compose.crop": ("CROPS", "Crop"),
        "u2net.compose.cutout": ("Cutout", "cutout"),
        "u2net.compose.highlight": ("STYLES", "highlight"),
        "u2net.compose.layout": ("Layout", "apply_layout", "crop"),
        "u2net.compose.lens_blur": ("defocused",),
        "u2net.compose.match_view": ("Location", "match_view"),
        "u2net.compose.panel": ("panel", "sides_panel"),
        "u2net.compose.parallax": ("parallax",),
        "u2net.compose.paste": ("Placement", "paste"),
        "u2net.compose.shadow": ("add_shadow",),
    },
)
