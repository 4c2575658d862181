"""Frames, conditionings and parameters of a person, on disk and as sequences."""
