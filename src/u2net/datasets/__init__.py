"""Training data without torch: pairs, ground truth, packs, checks, synthetic scenes."""
