"""Where frames go besides the stream: a pipe, a virtual camera."""
