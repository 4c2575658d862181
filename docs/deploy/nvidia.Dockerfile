# The CPU image's twin for NVIDIA cards: needs the NVIDIA container toolkit. From the repository's root:
#   docker build -f docs/deploy/nvidia.Dockerfile -t head2head-nvidia .
#   docker run --rm --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,video,utility --network host head2head-nvidia
# The card encodes (h264_nvenc); generator and NMFC still run on the CPU until the GPU backend is there.
FROM nvidia/cuda:12.6.3-base-ubuntu22.04
RUN apt-get update && apt-get install -y --no-install-recommends python3.11 python3.11-venv libgl1 libegl1 libgles2 \
    libglib2.0-0 && rm -rf /var/lib/apt/lists/* && python3.11 -m venv /venv
ENV PATH=/venv/bin:$PATH NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /app
COPY pyproject.toml README.md LICENSE NOTICE run_live.py ./
COPY face face
COPY live live
COPY offline offline
COPY web web
COPY trt_engines trt_engines
RUN pip install --no-cache-dir -e . && useradd --create-home live && python run_live.py --no-server --source demo --frames 1
USER live
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz')"
ENTRYPOINT ["python", "run_live.py"]
CMD ["--source", "browser", "--log-json"]
