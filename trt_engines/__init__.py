"""TensorRT engines: the GPU, the library, the network as it wants it, and the build. Targets lie beside (README.md)."""
