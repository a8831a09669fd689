# The service in a slim image. All dependencies and the builder of the wheel are locked with hashes.
# The update bot adds the digest of the base, and keeps it fresh.
ARG BASE=python:3.14-slim
FROM ${BASE} AS base


FROM base AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/dstack-backend

# The dependencies come first: they change seldom, so their layer stays in the builder's cache. The
# extras are `server`, `nostr` (12 MB, for NOSTR_KEY_FILE) and `notify` (19 MB, for NOTIFY_URLS):
# nothing can be added to an image.
# --no-deps: the lock is complete, and without it pip would also look at later releases.
COPY requirements/service.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/dstack-backend/bin/python install --no-compile \
        --require-hashes --no-deps -r requirements/service.txt \
    # 12 MB: the wheels of dependency-injector contain the sources of their libraries.
    && find /opt/dstack-backend -name '*.c' -delete

COPY requirements/build.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes --no-deps -r requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/dstack-backend/bin/python install --no-compile --no-deps dist/*.whl

# Without bytecode each start would compile again, as the service cannot write there.
# `unchecked-hash`: it stays valid when the times of the files change on their way into an image.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/dstack-backend

# The label of the image must not say another version than the service.
ARG VERSION
RUN version="$(/opt/dstack-backend/bin/dstack-backend --version)" \
    && test "${VERSION:-$version}" = "$version"


FROM base
COPY --from=build /opt/dstack-backend /opt/dstack-backend
ENV PATH=/opt/dstack-backend/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data \
    LOG_FORMAT=json

# The standard library comes without bytecode. Importing all modules of the service writes it for the
# part that they use. pip is not needed any more.
RUN python -c "import importlib, jinja2, pkgutil, dstack_backend as package; \
[importlib.import_module(each.name) for each in pkgutil.walk_packages(package.__path__, 'dstack_backend.') \
if not each.name.startswith('dstack_backend.testing') and not each.name.endswith('__main__')]" \
    && pip uninstall --yes --quiet --root-user-action=ignore pip
ENV PYTHONDONTWRITEBYTECODE=1

# The history. A new volume takes its owner and mode from here; 1777 is for `--user`.
RUN install -d -o 10001 -g 10001 -m 1777 /data
# A number, which Kubernetes needs for runAsNonRoot.
USER 10001:10001
VOLUME /data
EXPOSE 8080
# /livez: an outage of DStack is no reason to restart the container.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["dstack-backend", "healthcheck"]
ENTRYPOINT ["dstack-backend"]

# Last: they change with each commit. `make image` passes them.
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="dstack-backend" \
      org.opencontainers.image.description="Health backend of a DePHY GPU node: asks DStack for its GPUs, answers dephy-worker." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
