# The operator; with the argument `agent` the edge agent. Build context: dist/images (`npm run build`).
ARG BASE=node:24-bookworm-slim
FROM ${BASE}
ARG WSCLUSTER_RELEASE=dev
ENV NODE_ENV=production \
    WSCLUSTER_RELEASE=${WSCLUSTER_RELEASE}
LABEL org.opencontainers.image.title="wscluster-operator" \
      org.opencontainers.image.description="Kubernetes operator for WebSocket fleets, and the agent beside each HAProxy" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${WSCLUSTER_RELEASE}"
WORKDIR /app
COPY operator.mjs /app/operator.mjs
USER 65532:65532
ENTRYPOINT ["node", "/app/operator.mjs"]
CMD ["run"]
