# The image of the service: `make build TARGET=image`, or `docker build --build-arg FUNC=images .`
# `--target=lambda` builds an image for AWS Lambda. docs/container.md explains how to run both.

# The tag of the official Python image.
ARG PYTHON=3.13-slim-trixie

# hadolint ignore=DL3006
FROM docker.io/library/python:${PYTHON} AS base

# Build tools, which are not part of the final images.
FROM base AS tools
WORKDIR /src
RUN python3 -m venv /tools
ENV PATH=/tools/bin:$PATH
COPY requirements.lock ./
RUN sed -n -E '/^(packaging|pyyaml)==/,/^ *# via/p' requirements.lock > tools.txt \
    && pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes -r tools.txt

# The code with the routes of FUNC (default: all), and the part of the lock file that they need.
FROM tools AS contents
ARG FUNC=""
COPY . ./
RUN python -m infra.build.contents --func="$FUNC" /contents

FROM tools AS packages
COPY --from=contents /contents/requirements.txt ./
RUN python3 -m venv --without-pip /opt/streamdex \
    && pip --python=/opt/streamdex/bin/python install --quiet --disable-pip-version-check --no-cache-dir \
        --no-deps --require-hashes -r requirements.txt

FROM packages AS lambda-packages
COPY --from=contents /contents/lambda.txt ./
RUN pip --python=/opt/streamdex/bin/python install --quiet --disable-pip-version-check --no-cache-dir \
        --no-deps --require-hashes -r lambda.txt

# The code, compiled at build time because the runtime user cannot write to /app.
FROM base AS code
COPY --from=contents /contents/app /app
RUN python3 -m compileall -q /app
ENV PATH=/opt/streamdex/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app

# Lambda runs the image as its own user, which can write only to /tmp.
FROM code AS lambda
COPY --from=lambda-packages /opt/streamdex /opt/streamdex
USER 10001:10001
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["service.entrypoints.lambda_handler.handler"]

FROM code AS container
COPY --from=packages /opt/streamdex /opt/streamdex
RUN groupadd --gid 10001 streamdex \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/streamdex streamdex \
    && install --directory --mode=0700 --owner=10001 --group=10001 /var/lib/streamdex
# Holds checkpoints and dead letters, unless settings keep them in AWS. The service writes nothing else.
VOLUME /var/lib/streamdex
ENV STREAMDEX_CHECKPOINTS=/var/lib/streamdex/checkpoints.sqlite \
    STREAMDEX_DEAD_LETTERS=/var/lib/streamdex/dead-letters \
    STREAMDEX_PAGE_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-m", "service.entrypoints.healthy"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["run"]
