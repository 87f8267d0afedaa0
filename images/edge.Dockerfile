# HAProxy, 2.6 or newer; its configuration is mounted at /etc/haproxy/haproxy.cfg. The agent runs beside it from the operator's image.
ARG BASE=haproxy:2.6-bookworm
FROM ${BASE}
LABEL org.opencontainers.image.title="wscluster-edge" \
      org.opencontainers.image.description="HAProxy as the edge of a WebSocket fleet" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
# The soft stop: finish what is connected. SIGTERM would cut it.
STOPSIGNAL SIGUSR1
ENTRYPOINT ["haproxy"]
CMD ["-db", "-f", "/etc/haproxy/haproxy.cfg"]
