# Redis for trials (`redis.embedded=true`), not for production: nothing is kept, and a full memory is an error, never a silent loss.
ARG BASE=redis:7-bookworm
FROM ${BASE}
LABEL org.opencontainers.image.title="wscluster-redis" \
      org.opencontainers.image.description="Redis for trying wscluster" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
ENTRYPOINT ["redis-server"]
CMD ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--protected-mode", "no"]
