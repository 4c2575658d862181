"""From a video of a person to a target file, and the tools around it. The only package that imports torch."""
