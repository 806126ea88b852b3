// Error texts of the REST API, as the real service gives them.

export const ERRORS = {
  auth: 'WRONGPASS invalid or missing auth token',
  method: 'ERR method not allowed',
  command: 'ERR failed to parse command',
  emptyCommand: 'ERR empty command',
  pipeline: 'ERR failed to parse pipeline request',
  emptyPipeline: 'ERR empty pipeline request',
  emptyPipelineCommand: 'ERR empty pipeline command',
  responseFormat: 'ERR unsupported response format',
  eventStream: 'ERR subscriptions need the header accept: text/event-stream',
}

/** The answer to every command once a plan's quota is used up; for `faults.set({ kind: 'status', code: 400, … })`. */
export const QUOTA_BODY = JSON.stringify({
  error:
    'ERR max requests limit exceeded. Limit: 500000, Usage: 500000. ' +
    'See https://upstash.com/docs/redis/troubleshooting/max_requests_limit for details',
})

export const tooLarge = (limit, actual) =>
  `ERR max request size exceeded. Limit: ${limit} bytes, Actual: ${actual} bytes`

export const notAvailable = (name) =>
  `ERR Command is not available: '${name.toUpperCase()}'. ` +
  'See https://upstash.com/docs/redis/overall/rediscompatibility for details'

export const notPermitted = (name) =>
  `NOPERM this user has no permissions to run the '${name}' command`

/** A request that is refused before any command runs. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}
