# The example server on Alpine. In a clone of the repository:
#   docker build --file examples/docker/alpine.Dockerfile --tag grove-example .
#   docker run --rm --publish 8080:8080 grove-example
ARG NODE=20

# Not the Rust of the Node image's own Alpine, which may be older than the 1.88 that Cargo.toml asks for. What a newer
# Alpine builds runs on an older one: both have musl 1.2.
FROM rust:1-alpine AS addon
# hadolint ignore=DL3018
RUN apk add --no-cache musl-dev nodejs npm
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm install --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm pack

# From here on it is as in a repository of your own that has the packed file.
FROM node:${NODE}-alpine
WORKDIR /server
COPY --from=addon /build/grove-shared-cache-*.tgz ./
RUN npm install --no-audit --no-fund ./grove-shared-cache-*.tgz express@4 express-rate-limit@8 && rm ./*.tgz
COPY examples/express/admin.mjs examples/express/app.mjs examples/express/server.mjs ./
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
EXPOSE 8080
USER 1000
CMD ["node", "server.mjs"]
