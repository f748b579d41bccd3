"""Arrays in, arrays out: color, resizing, blending, regions. No file and no network in here."""
