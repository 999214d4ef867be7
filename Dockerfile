# dockline in a container, beside the interceptor: docs/sidecar/. `cargo xtask image` makes the same image without a builder and
# without a registry.
#
#   docker build -t dockline --build-arg DOCKLINE_COMMIT="$(git rev-parse --short=12 HEAD)" .
#
FROM rust:1-alpine AS build
# What the C parts of ring, zstd and the like are compiled with.
RUN apk add --no-cache build-base
WORKDIR /dockline
COPY . .
# For `dockline --version`: what git knows is left behind.
ARG DOCKLINE_COMMIT=
# The program has no library beside it: Rust's target on Alpine is static.
RUN cargo build --profile dist --locked --bin dockline \
 && mkdir -p /image/bin /image/tmp /image/run/dockline /image/var/lib/dockline \
 && chmod 1777 /image/tmp && chmod 700 /image/run/dockline /image/var/lib/dockline \
 && cp target/dist/dockline /image/bin/dockline

FROM scratch
COPY --from=build /image/ /
# What it keeps: sockets, and the built-in interceptor's authority.
ENV PATH=/bin DOCKLINE_RUNTIME_DIR=/run/dockline DOCKLINE_DATA_DIR=/var/lib/dockline
# It is never intercepted itself.
LABEL dockline.role=service
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/bin/dockline", "status", "--wait", "2"]
ENTRYPOINT ["/bin/dockline"]
CMD ["serve"]
