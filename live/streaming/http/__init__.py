"""The server's HTTP side: signalling, page, probes."""
