"""The server's HTTP side: signaling, page, probes."""
