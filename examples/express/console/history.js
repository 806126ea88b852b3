// What the page has been told so far. Behind a load balancer each answer may be of another instance, so that counters are
// compared with earlier ones of the same instance alone.

const KEPT_MS = 190_000
const RATE_OVER_MS = 10_000
const COST_OVER_MS = 60_000
/** A rate over less than this would be one of a few commands. */
const COST_AFTER_MS = 5000
const INVALIDATIONS_KEPT = 20

export class History {
  #samples = []
  #reads = new Map()
  #invalidations = new Map()
  /** `{ at, rate }`: the share of hits over the ten seconds before, without the reads of this page. */
  hitRates = []

  /** @param {object} state an answer of `/console/state` @param {number} at milliseconds */
  add(state, at) {
    const { instance, counters, tier, askedForThis } = state
    this.#samples.push({
      at,
      instance,
      counters,
      own: { commands: askedForThis, reads: 1, hits: Number(tier === 'memory') },
    })
    this.#samples = this.#samples.filter((sample) => at - sample.at < KEPT_MS)
    const { reads, hits } = this.#over(RATE_OVER_MS, at)
    if (reads > 0) this.hitRates.push({ at, rate: Math.max(0, Math.min(1, hits / reads)) })
    this.hitRates = this.hitRates.filter((point) => at - point.at < KEPT_MS)
    const dated = (entries) => entries.map(({ agoMs, ...rest }) => ({ at: at - agoMs, ...rest }))
    this.#reads.set(instance, dated(state.reads))
    for (const entry of dated(state.invalidations))
      this.#invalidations.set(`${instance} ${entry.committedAt}`, entry)
  }

  /** Chats that got their prompt, of the instances that answered this page. */
  get reads() {
    return [...this.#reads.values()].flat().toSorted((one, other) => one.at - other.at)
  }

  /** Receipts, the oldest first. */
  get invalidations() {
    const sorted = [...this.#invalidations.values()].toSorted((one, other) => one.at - other.at)
    return sorted.slice(-INVALIDATIONS_KEPT)
  }

  /** Store commands a minute of the instances that answered: of their work, and of this page's questions. Null at first. */
  cost(at) {
    const { commands, own, ms } = this.#over(COST_OVER_MS, at)
    if (ms < COST_AFTER_MS) return null
    const perMinute = (number) => Math.round((Math.max(0, number) * 60_000) / ms)
    return { work: perMinute(commands - own), page: perMinute(own) }
  }

  /** What was counted in the last so many milliseconds; `own` is what this page made of it. */
  #over(windowMs, at) {
    const sum = { reads: 0, hits: 0, commands: 0, own: 0, ms: 0 }
    const recent = this.#samples.filter((sample) => at - sample.at <= windowMs)
    for (const instance of new Set(recent.map((sample) => sample.instance))) {
      const samples = recent.filter((sample) => sample.instance === instance)
      const [first, last] = [samples[0], samples.at(-1)]
      const grown = (counter) => last.counters[counter] - first.counters[counter]
      const own = (what) => samples.slice(1).reduce((total, { own }) => total + own[what], 0)
      sum.reads += grown('reads') - own('reads')
      sum.hits += grown('memoryHits') - own('hits')
      sum.commands += grown('storeCommands')
      sum.own += own('commands')
      sum.ms = Math.max(sum.ms, last.at - first.at)
    }
    return sum
  }
}
