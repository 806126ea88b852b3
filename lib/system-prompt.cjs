// The system prompt of a cache.
const { Entry } = require('./entry.cjs')
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
      return debugOf(await settled(native.debug()))
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

function debugOf({ content, details, redis, fleet, stats }) {
  const {
    generation: _,
    fetchedAt,
    version,
    title,
    tier,
    source,
    ...behaviours
  } = configFields(details)
  const isCounter = ([name, value]) => typeof value === 'number' && name !== 'hitRate'
  const counters = Object.entries(stats).filter(isCounter)
  const state = Object.entries(stats).filter((pair) => !isCounter(pair))
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
    redis,
    fleet,
    counters: Object.fromEntries(counters),
    ...Object.fromEntries(state),
  }
}
