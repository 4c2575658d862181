"""Peers, and what carries packets to them."""
