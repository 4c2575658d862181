"""Proof of what an image is: a drawn label, an invisible watermark, signed recordings, and what reads them back."""
