"""What the live command was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_videos_path

from face.retarget import Mode
from live.device import Device
from live.sources.camera import CameraSettings
from live.sources.open import SourceSettings
from live.sources.orientation import Orientation
from live.trust.label import DEFAULT_TEXT, LabelSettings, Place
from live.trust.marking import Marking


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of ``run_live.py``, named and defaulted as there; its ``--help`` explains each."""

    target: str = "demo"
    source: str = "auto"
    mode: Mode = Mode.HEAD
    device: Device = Device.AUTO
    size: int | None = None  # px; None: measured
    camera_size: tuple[int, int] | None = None  # px
    camera_fps: float | None = None
    mirror: bool = False
    rotate: int = 0  # degrees, clockwise
    host: str = "127.0.0.1"
    port: int = 8080
    no_server: bool = False
    output: Path | None = None
    overwrite: bool = False
    recordings: Path = user_videos_path() / "Head2Head"
    virtual_camera: bool = False
    c2pa_cert: Path | None = None
    c2pa_key: Path | None = None
    label_text: str = DEFAULT_TEXT
    label_place: Place = Place.TOP_LEFT
    label_size: int = 4  # percent of the image's height
    no_label: bool = False
    frames: int | None = None
    token: str | None = None
    view_token: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    self_signed: bool = False
    allow_origin: list[str] = field(default_factory=list)
    ice: list[str] = field(default_factory=list)
    udp_ports: str | None = None
    publish: str | None = None
    max_viewers: int = 100
    max_sessions: int = 1
    bitrate: int | None = None  # kbit/s
    log_json: bool = False
    doctor: bool = False

    @property
    def source_settings(self) -> SourceSettings:
        """How to open the source."""
        return SourceSettings(
            camera=CameraSettings(size=self.camera_size, fps=self.camera_fps),
            orientation=Orientation(rotate_deg=self.rotate, mirror=self.mirror),
        )

    def marking(self) -> Marking:
        """What the session's images are to be marked with.

        Raises:
            UserError: the label has no text.
        """
        return Marking(LabelSettings(self.label_text, self.label_place, self.label_size / 100), self.no_label)
