"""Blind review: votes between two outputs whose names are hidden until the vote."""
