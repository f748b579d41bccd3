"""Training: data, augmentation, losses, the loop. Needs `u2net[train]`."""
