"""Frames to browsers: one encode for all viewers, WHEP out, WHIP in, a WebSocket for figures and controls."""
