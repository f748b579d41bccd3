"""Training data without torch: pairs, ground truth, packs, checks, synthetic scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from u2net.lazy import attach

if TYPE_CHECKING:
    from u2net.datasets.annotations import Annotation as Annotation
    from u2net.datasets.annotations import Detection as Detection
    from u2net.datasets.annotations import draw_boxes as draw_boxes
    from u2net.datasets.annotations import find_boxes as find_boxes
    from u2net.datasets.annotations import to_coco as to_coco
    from u2net.datasets.annotations import to_yolo as to_yolo
    from u2net.datasets.check import Check as Check
    from u2net.datasets.check import check as check
    from u2net.datasets.ground_truth import first_look as first_look
    from u2net.datasets.ground_truth import read_truth as read_truth
    from u2net.datasets.make_pack import pack_pairs as pack_pairs
    from u2net.datasets.near_duplicates import near_duplicates as near_duplicates
    from u2net.datasets.near_duplicates import perceptual_hash as perceptual_hash
    from u2net.datasets.pack import Pack as Pack
    from u2net.datasets.pack import PackedSample as PackedSample
    from u2net.datasets.pack import open_pack as open_pack
    from u2net.datasets.pack import read_samples as read_samples
    from u2net.datasets.pairs import Pair as Pair
    from u2net.datasets.pairs import Pairs as Pairs
    from u2net.datasets.pairs import Problem as Problem
    from u2net.datasets.pairs import find_pairs as find_pairs
    from u2net.datasets.synthetic_dataset import Subject as Subject
    from u2net.datasets.synthetic_dataset import find_subjects as find_subjects
    from u2net.datasets.synthetic_dataset import write_scenes as write_scenes
    from u2net.datasets.synthetic_scene import Scene as Scene
    from u2net.datasets.synthetic_scene import SceneSettings as SceneSettings
    from u2net.datasets.synthetic_scene import draw_scene as draw_scene

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "u2net.datasets.annotations": ("Annotation", "Detection", "draw_boxes", "find_boxes", "to_coco", "to_yolo"),
        "u2net.datasets.check": ("Check", "check"),
        "u2net.datasets.ground_truth": ("first_look", "read_truth"),
        "u2net.datasets.make_pack": ("pack_pairs",),
        "u2net.datasets.near_duplicates": ("near_duplicates", "perceptual_hash"),
        "u2net.datasets.pack": ("Pack", "PackedSample", "open_pack", "read_samples"),
        "u2net.datasets.pairs": ("Pair", "Pairs", "Problem", "find_pairs"),
        "u2net.datasets.synthetic_dataset": ("Subject", "find_subjects", "write_scenes"),
        "u2net.datasets.synthetic_scene": ("Scene", "SceneSettings", "draw_scene"),
    },
)
