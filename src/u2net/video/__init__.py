"""Pictures that move: frames in, maps smoothed over time, frames out."""
