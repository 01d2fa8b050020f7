# One image for worker, gateway, paper endpoint and tools. Any builder that knows --mount: BuildKit, Podman, Buildah.
#   docker build --tag signal-dispatch .
#   docker build --tag signal-dispatch --secret id=pip.conf,src=$HOME/.config/pip/pip.conf .    packages from a mirror
# `make image-proof` builds it and sees it work.

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN ["python3", "-m", "venv", "/opt/venv"]
# The date makes two builds the same: compiled files hold their sources' hashes instead of the time of the build.
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 SOURCE_DATE_EPOCH=315532800
COPY requirements/image.txt requirements/
# A secret, for it may hold a password: no layer keeps it.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    ["pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", "requirements/image.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
COPY producers producers
# What only builds need is no part of the image.
RUN pip install --quiet --no-deps --no-build-isolation --no-index . && pip uninstall --quiet --yes setuptools pip

FROM build AS sbom
RUN ["python3", "-m", "venv", "/opt/sbom"]
COPY requirements/sbom.txt requirements/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    ["/opt/sbom/bin/pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", "requirements/sbom.txt"]
RUN ["/opt/sbom/bin/cyclonedx-py", "environment", "--output-reproducible", "--pyproject", "pyproject.toml", \
    "--output-file", "/sbom.cdx.json", "/opt/venv/bin/python3"]

FROM ${BASE}
# As in pyproject.toml.
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Signal Dispatch" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.licenses="MIT" \
    org.cyclonedx.sbom="/app/sbom.cdx.json"
COPY --from=build /opt/venv /opt/venv
COPY --from=sbom /sbom.cdx.json /app/
COPY demo/__init__.py demo/traffic.py demo/traffic_loop.py /app/demo/
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SIGNALS_METRICS_HOST=0.0.0.0 SIGNALS_GATEWAY_METRICS_PORT=9464
# A number, so that Kubernetes can see that it is not root; it needs no entry in /etc/passwd.
USER 10001:10001
EXPOSE 8080 8787 9464
CMD ["signal-worker", "run"]
