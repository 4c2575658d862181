"""The network that estimates gaze from images of the eyes, and how it is trained."""
