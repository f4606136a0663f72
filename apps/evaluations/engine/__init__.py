"""From claimed items to stored answers and scores: what a worker does for a run, in short slices."""
