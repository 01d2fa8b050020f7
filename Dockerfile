# One image for worker, gateway, paper endpoint and tools.
#   docker build --tag signal-dispatch .

ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN ["python3", "-m", "venv", "/opt/venv"]
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/image.txt requirements/
RUN ["pip", "install", "--quiet", "--require-hashes", "-r", "requirements/image.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY worker worker
COPY producers producers
# What only builds need is no part of the image.
RUN pip install --quiet --no-deps --no-build-isolation . && pip uninstall --quiet --yes setuptools pip

FROM ${BASE}
COPY --from=build /opt/venv /opt/venv
COPY demo/__init__.py demo/traffic.py demo/traffic_loop.py /app/demo/
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SIGNALS_METRICS_HOST=0.0.0.0 SIGNALS_GATEWAY_METRICS_PORT=9464
# A number, so that Kubernetes can see that it is not root; it needs no entry in /etc/passwd.
USER 10001:10001
EXPOSE 8080 8787 9464
CMD ["signal-worker", "run"]
