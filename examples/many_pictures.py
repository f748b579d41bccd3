"""Cut out a folder with a progress bar of your own choice: python examples/many_pictures.py IN OUT (needs tqdm)."""

import sys

from tqdm import tqdm

import u2net

for outcome in tqdm(u2net.remove_many(sys.argv[1], sys.argv[2]), unit="picture"):
    if outcome.error:
        tqdm.write(f"{outcome.source}: {outcome.error}")
