"""Frames and sound as viewers receive them."""
