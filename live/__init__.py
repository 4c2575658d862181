"""The live loop: sources, pipeline, generators, streaming. Never imports torch."""
