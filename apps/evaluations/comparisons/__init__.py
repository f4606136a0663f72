"""Comparisons of runs: the page that people decide on, its REST, decisions and reports."""
