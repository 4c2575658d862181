"""Renderers of the live loop on a GPU; the CPU's is ``face.conditioning.CpuConditioning``."""
