# The example server on Debian, with Node 22 or 24. In a clone of the repository:
#   docker build --file examples/docker/debian-slim.Dockerfile --build-arg NODE=24 --tag grove-example .
#   docker run --rm --publish 8080:8080 grove-example
ARG NODE=22

FROM node:${NODE}-bookworm-slim AS node

# Of the same Debian as the last stage: an addon asks for the glibc that it was built on.
FROM rust:1-slim-bookworm AS addon
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
  && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm install --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && npm pack

# From here on it is as in a repository of your own that has the packed file.
FROM node:${NODE}-bookworm-slim
WORKDIR /server
COPY --from=addon /build/grove-shared-cache-*.tgz ./
RUN npm install --no-audit --no-fund ./grove-shared-cache-*.tgz express@4 express-rate-limit@8 && rm ./*.tgz
COPY examples/express/admin.mjs examples/express/app.mjs examples/express/server.mjs ./
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080
EXPOSE 8080
USER 1000
CMD ["node", "server.mjs"]
