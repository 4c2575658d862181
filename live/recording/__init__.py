"""Recordings of what is sent, playable whenever the process ends."""
