"""What is made of a cutout: crop, background, shadow, paste, panel."""
