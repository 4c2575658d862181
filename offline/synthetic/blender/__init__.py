"""A film studio for invented people: seeds in, videos with truth out, path-traced with Blender.

``python -m offline.synthetic.blender film --seed N --out DIR`` makes an environment for Blender on first use and
goes on in it. ``docs/invented_people.md`` shows who comes out, what gives them away, and what a frame costs.
"""
