"""The torch side: the networks, their training and their export. Needs `u2net[train]`; nothing else here imports it."""
