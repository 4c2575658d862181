# The CPU image with what an NVIDIA card needs besides: the host's driver comes with the NVIDIA container toolkit.
#   docker build -f docs/deploy/nvidia.Dockerfile -t head2head-nvidia .      after the CPU image, head2head
#   docker run --rm --gpus all --network host -v engines:/home/live/.cache/head2head head2head-nvidia
# The first start builds the engine and keeps it in the volume.
FROM head2head
USER root
RUN pip install --no-cache-dir --constraint /src/requirements.lock '/src[gpu-rtx]' \
 && install -d -o live /home/live/.cache/head2head
USER live
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,video,utility
