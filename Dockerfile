# The image of game-operators and game-webhooks.
#
#   docker build -t game-operators .                         on the public Python image
#   docker build --build-arg BASE=registry.example/python .  on a base of your own: Debian 12 or alike with Python 3.11
#
# Behind a package mirror, hand pip's settings over as secrets; they stay out of the image and its history:
#
#   docker build --secret id=pip,src=$HOME/.config/pip/pip.conf --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt .
#
# with `cert = /run/secrets/ca` in the pip.conf if the mirror's certificate is signed by an authority of your own.

# Pinned by digest: the same sources make the same image tomorrow.
ARG BASE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE} AS dependencies
ENV PIP_CONFIG_FILE=/run/secrets/pip PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/build.txt requirements/runtime.txt /src/requirements/
# The tools of the build live in an environment of their own, so that none of them gets into the one that is shipped.
RUN --mount=type=secret,id=pip,required=false --mount=type=secret,id=ca,required=false \
    python3 -m venv /opt/build \
    && python3 -m venv --without-pip /opt/game-operators \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: -r /src/requirements/build.txt \
    && /opt/build/bin/pip --python /opt/game-operators/bin/python install \
        --require-hashes --only-binary :all: --no-compile -r /src/requirements/runtime.txt

FROM dependencies AS build
COPY . /src
ARG SOURCE_DATE_EPOCH=0
# No network from here on: the wheel is made of what was copied, by tools that were checked.
RUN /opt/build/bin/pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels /src \
    && /opt/build/bin/pip --python /opt/game-operators/bin/python install --no-index --no-deps --no-compile /wheels/*.whl \
    && /opt/build/bin/pip --python /opt/game-operators/bin/python check \
    # The root file system is read-only at run time: bytecode is made now, and not checked against sources again.
    # One process and one seed: sets and shared strings are written in an order that depends on both. And anew where pip
    # left some already: that would hold the time of its source, which differs between builds.
    && PYTHONHASHSEED=0 /opt/game-operators/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/game-operators/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BUILD_DATE=
LABEL org.opencontainers.image.title="game-operators" \
      org.opencontainers.image.description="Kubernetes operators and admission webhooks for game workloads" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${BUILD_DATE}"
# What a base brings to install Python packages with has no business beside players: it is never run here.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/site-packages/setuptools* \
        /usr/local/lib/python3*/site-packages/wheel* /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip \
        /usr/share/python-wheels
COPY --from=build /opt/game-operators /opt/game-operators
# USER and HOME, because whatever number it runs as has no entry in /etc/passwd.
ENV PATH=/opt/game-operators/bin:/usr/local/bin:/usr/bin:/bin USER=game-operators HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    GAME_OPERATORS_VERSION=${VERSION} GAME_OPERATORS_GIT_COMMIT=${REVISION} GAME_OPERATORS_BUILD_DATE=${BUILD_DATE}
# A number, because Kubernetes can check only numbers against runAsNonRoot; nobody owns files of the image.
USER 65532:65532
WORKDIR /tmp
# Operators: metrics and health, the framework's probe; webhooks: reviews, metrics and health.
EXPOSE 10251 10252 9443 10253
ENTRYPOINT ["game-operators"]
CMD ["run"]
