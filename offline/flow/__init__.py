"""Optical flow between frames of a face."""
