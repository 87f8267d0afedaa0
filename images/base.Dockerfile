# The base of all images on a machine without a registry: rootfs.tar is a minimal Debian with HAProxy and Redis.
FROM scratch
ADD rootfs.tar /
COPY node /usr/local/bin/node
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
