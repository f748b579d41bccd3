"""How good maps are: the measures of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach

if TYPE_CHECKING:
    from u2net.evaluation.evaluate import Evaluation as Evaluation
    from u2net.evaluation.evaluate import Pair as Pair
    from u2net.evaluation.evaluate import evaluate as evaluate
    from u2net.evaluation.evaluate import map_by as map_by
    from u2net.evaluation.evaluate import pair_up as pair_up
    from u2net.evaluation.evaluate import read_map as read_map
    from u2net.evaluation.metrics import MEASURES as MEASURES
    from u2net.evaluation.metrics import Scores as Scores
    from u2net.evaluation.metrics import mean_curves as mean_curves
    from u2net.evaluation.metrics import score as score
    from u2net.evaluation.metrics import summarise as summarise

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.evaluation.evaluate": ("Evaluation", "Pair", "evaluate", "map_by", "pair_up", "read_map"),
        "u2net.evaluation.metrics": ("MEASURES", "Scores", "mean_curves", "score", "summarise"),
    },
)
