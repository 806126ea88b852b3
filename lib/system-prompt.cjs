// The system prompt of a cache.
const { Entry } = require('./entry.cjs')
const { debugOf } = require('./debug.cjs')
const { settled } = require('./native.cjs')

const TARGETS = JSON.stringify({ resources: ['system-prompt'] })
const PREVIEW_CHARACTERS = 500

/** @param {import('./core.cjs').Core} core */
exports.systemPromptOf = (core) => {
  const entry = new Entry(core, {
    open: () => core.prompt(),
    forms: [textOf, configOf],
    isShared: () => true,
  })
  return Object.freeze({
    fetchActiveSystemPrompt: () => entry.read(),
    fetchActiveSystemPromptConfig: () => entry.readDetailed(),

    async invalidateSystemPrompt(options) {
      const { invalidated } = require('./invalidation.cjs')
      return invalidated(core, TARGETS, options)
    },

    async debugSystemPrompt() {
      const native = core.opened
      core.prompt(native)
      return promptDebugOf(await settled(native.debug(true)))
    },
  })
}

function textOf(reading) {
  return checked(reading).content
}

function configOf(reading) {
  const { content, details } = checked(reading)
  return reading.decoded(() => Object.freeze({ content, ...configFields(details) }))
}

function checked(reading) {
  if (reading.content !== null) return reading
  throw require('./errors.cjs').fromNative(reading.details.error)
}

const configFields = (details) => ({
  responseMode: details.responseMode,
  closingBehavior: details.closingBehavior,
  useBreadcrumbTags: details.useBreadcrumbTags,
  useTopicTags: details.useTopicTags,
  useNavigationBlocks: details.useNavigationBlocks,
  source: details.source,
  fetchedAt: details.fetchedAt,
  version: details.version,
  title: details.title,
  generation: details.generation,
  tier: details.tier,
})

function promptDebugOf(examined) {
  const { content, details } = examined.read
  const { fetchedAt, version, title, tier, source, generation, ...behaviours } =
    configFields(details)
  const { redis, ...state } = debugOf(examined)
  return {
    source,
    fetchedAt: new Date(fetchedAt).toISOString(),
    ...behaviours,
    contentLength: content.length,
    contentPreview: `${content.slice(0, PREVIEW_CHARACTERS).toWellFormed()}...`,
    fullContent: content,
    version,
    title,
    tier,
    redis: { ...redis, ttlSeconds: examined.redis.ttlSeconds, generation },
    ...state,
  }
}
