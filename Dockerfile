# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
# The image's own toolchain; rust-toolchain.toml also asks for clippy and rustfmt, not needed here.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --locked --release --package tailwater --bin tailwater \
    && install -D target/release/tailwater /out/tailwater

# Not distroless: the health check needs something that speaks HTTP, and bash is enough for that.
FROM debian:bookworm-slim
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tailwater /usr/local/bin/tailwater
COPY --chmod=755 docker/http-ok /usr/local/bin/http-ok
# No name is needed for it, and no folder: the program writes no files, so the root file system may
# be read-only.
USER 65532:65532
ENTRYPOINT ["tailwater"]
CMD ["run", "--config", "/etc/tailwater/tailwater.toml"]
EXPOSE 9464
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
    CMD ["http-ok", "9464", "/health/ready"]
