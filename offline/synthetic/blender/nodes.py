"""Short-hand for building Blender materials."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from offline.synthetic.blender.person import Color


def rgb(color: Color) -> tuple[float, float, float, float]:
    """As Blender's sockets take it."""
    return (color[0], color[1], color[2], 1.0)


def image(name: str, pixels: np.ndarray) -> Any:  # [H, W, 4] float32, row 0 at the bottom
    """An image of linear values."""
    texture = bpy.data.images.new(name, pixels.shape[1], pixels.shape[0], alpha=True, float_buffer=True)
    texture.colorspace_settings.name = "Non-Color"
    texture.alpha_mode = "CHANNEL_PACKED"
    texture.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
    return texture


class Nodes:
    """A material's node tree, built call by call; inputs are sockets' names or numbers."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self._tree = self.material.node_tree
        self._tree.nodes.clear()
        self._out = self._tree.nodes.new("ShaderNodeOutputMaterial")

    def node(self, kind: str, inputs: Any = (), **settings: Any) -> Any:
        """A node of a kind."""
        node = self._tree.nodes.new("ShaderNode" + kind)
        for key, value in settings.items():
            setattr(node, key, value)
        for key, value in dict(inputs).items():
            self.set(node.inputs[key], value)
        return node

    def set(self, socket: Any, value: Any) -> None:
        """Link a socket to another's output, or give it a value."""
        if hasattr(value, "is_output"):
            self._tree.links.new(value, socket)
        else:
            socket.default_value = value

    def math(self, operation: str, a: Any, b: Any = 0.0, clamp: bool = False) -> Any:
        """Arithmetic on numbers."""
        node = self.node("Math", operation=operation, use_clamp=clamp)
        self.set(node.inputs[0], a)
        self.set(node.inputs[1], b)
        return node.outputs[0]

    def total(self, *terms: Any) -> Any:
        """Sum of products: each term is a socket, or a pair of factors."""
        out: Any = 0.0
        for term in terms:
            product = self.math("MULTIPLY", *term) if isinstance(term, tuple) else term
            out = product if isinstance(out, float) else self.math("ADD", out, product)
        return out

    def ramp(self, value: Any, low: float, high: float, to_low: float = 0.0, to_high: float = 1.0) -> Any:
        """Smooth step between two values."""
        node = self.node("MapRange", interpolation_type="SMOOTHSTEP")
        for key, v in zip(
            ("Value", "From Min", "From Max", "To Min", "To Max"), (value, low, high, to_low, to_high), strict=True
        ):
            self.set(node.inputs[key], v)
        return node.outputs[0]

    def mix(self, factor: Any, a: Any, b: Any, blend: str = "MIX") -> Any:
        """Two colors."""
        node = self.node("Mix", data_type="RGBA", blend_type=blend)
        self.set(node.inputs[0], factor)
        self.set(node.inputs[6], a)
        self.set(node.inputs[7], b)
        return node.outputs[2]

    def mix_float(self, factor: Any, a: Any, b: Any) -> Any:
        """Two numbers."""
        node = self.node("Mix", data_type="FLOAT")
        for k, value in ((0, factor), (2, a), (3, b)):
            self.set(node.inputs[k], value)
        return node.outputs[0]

    def attribute(self, name: str, output: str = "Fac") -> Any:
        """A mesh's attribute."""
        return self.node("Attribute", attribute_name=name).outputs[output]

    def noise(self, vector: Any, scale: float, detail: float = 2.0, roughness: float = 0.5) -> Any:
        """Perlin noise."""
        inputs = {"Vector": vector, "Scale": scale, "Detail": detail, "Roughness": roughness}
        return self.node("TexNoise", inputs).outputs["Fac"]

    def finish(self, shader: Any) -> Any:
        """The material, with this surface."""
        self._tree.links.new(shader, self._out.inputs["Surface"])
        return self.material
