# syntax=docker/dockerfile:1
# One image for every party: `docker run vfl party serve /var/lib/vfl/NAME`, with the party directory on a volume.

FROM python:3.12-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY setup.py setup.cfg pyproject.toml README.md LICENSE ./
COPY vfl vfl
COPY parties parties
COPY scenarios scenarios
COPY data_generators data_generators
# With VFL_NATIVE=1 a kernel that cannot be built fails the build of the image.
RUN python -m venv /opt/vfl \
    && VFL_NATIVE=1 /opt/vfl/bin/pip install --no-cache-dir . \
    && /opt/vfl/bin/vfl info --json | grep -q '"kernel": "native'

FROM python:3.12-slim
RUN groupadd --gid 10001 vfl \
    && useradd --uid 10001 --gid vfl --no-create-home --home-dir /var/lib/vfl --shell /usr/sbin/nologin vfl \
    && install -d -o vfl -g vfl -m 700 /var/lib/vfl
COPY --from=build /opt/vfl /opt/vfl
ENV PATH=/opt/vfl/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp
USER 10001:10001
WORKDIR /var/lib/vfl
VOLUME /var/lib/vfl
EXPOSE 8443 9443
STOPSIGNAL SIGTERM
# The port of [metrics], on the loopback address of the container; 9100 unless VFL_METRICS_PORT says otherwise.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('VFL_METRICS_PORT', '9100') + '/healthz', timeout=4)"]
ENTRYPOINT ["vfl"]
CMD ["--help"]
