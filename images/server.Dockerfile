# The WebSocket server. Build context: dist/images (`npm run build`).
ARG BASE=node:24-bookworm-slim
FROM ${BASE}
# Names the build in the server's facts; a change of it alone makes an image that differs, for trying a rollout.
ARG WSCLUSTER_RELEASE=dev
ENV NODE_ENV=production \
    WSCLUSTER_RELEASE=${WSCLUSTER_RELEASE}
LABEL org.opencontainers.image.title="wscluster-server" \
      org.opencontainers.image.description="WebSocket server whose connections can be moved without loss" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${WSCLUSTER_RELEASE}"
WORKDIR /app
COPY server.mjs /app/server.mjs
# A number, not a name: the kubelet proves runAsNonRoot from it.
USER 65532:65532
ENTRYPOINT ["node", "/app/server.mjs"]
