# The wheel and the pinned packages on a plain Python; maps are computed in a folder of the host:
#   docker run --rm --user "$(id -u)" -v "$PWD":/maps channelmaps run configs/x.yaml
FROM python:3.11-slim AS packages
COPY requirements.lock requirements-server.lock /
# GDAL of rasterio takes this library from the system, and this image has none.
RUN apt-get update && apt-get install --yes --no-install-recommends libexpat1 && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir --require-hashes --requirement /requirements.lock --requirement /requirements-server.lock \
    && rm /requirements.lock /requirements-server.lock

FROM packages AS wheel
COPY . /source
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels /source

FROM packages
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir --no-deps --no-index /wheels/*.whl && rm -r /wheels \
    && useradd --create-home maps && mkdir /maps && chown maps /maps \
    && mkdir --mode 1777 /var/cache/channelmaps
# Compiled kernels and fonts are kept for the next command; whoever runs it may write there.
ENV NUMBA_CACHE_DIR=/var/cache/channelmaps/numba MPLCONFIGDIR=/var/cache/channelmaps/matplotlib \
    XDG_CACHE_HOME=/var/cache/channelmaps
USER maps
WORKDIR /maps
ENTRYPOINT ["channelmaps"]
CMD ["--help"]
