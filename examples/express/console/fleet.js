// The table of instances: what each has acknowledged, and how an invalidation arrives at them one by one.

import { put } from './page.js'
import { ms, shortId } from './words.js'

/** What the bars of the rows end with. */
const LONGEST_MS = 1000

export class Fleet {
  #body
  #template
  #rows = new Map()
  /** `{ before, began, seen }` while one is under way: the newest generation before it, and who was seen to follow, and when. */
  #underWay = null
  #receipt = null

  /** @param {HTMLTableSectionElement} body @param {HTMLTemplateElement} template of a row */
  constructor(body, template) {
    this.#body = body
    this.#template = template
  }

  /** An invalidation was asked for. @param {object} state an answer of `/console/state` until then */
  begin({ redis, fleet }, at) {
    // Some may have acknowledged an invalidation of something else since that of the prompt.
    const known = [redis, ...(fleet ?? [])].map(({ generation }) => generation ?? 0)
    this.#receipt = null
    this.#underWay = { before: Math.max(...known), began: at, seen: new Map() }
  }

  /** It is over. @param {object | null} receipt null if it failed */
  end(receipt) {
    this.#underWay = null
    this.#receipt = receipt
  }

  /** @param {object} state an answer of `/console/state` */
  show(state, at) {
    const { redis, fleet } = state
    const instances = new Map((fleet ?? [self(state)]).map((instance) => [instance.id, instance]))
    // Once somebody else has invalidated, what the receipt says is history.
    const receipt = redis.generation > this.#receipt?.generation ? null : this.#receipt
    this.#receipt = receipt
    for (const { id } of receipt?.instances ?? [])
      if (!instances.has(id))
        instances.set(id, { id, generation: null, leaseMs: null, self: false })

    for (const [id, row] of this.#rows) if (!instances.has(id)) this.#remove(id, row)
    const sorted = [...instances.values()].toSorted(
      (one, other) => other.self - one.self || one.id.localeCompare(other.id),
    )
    sorted.forEach((instance, index) => {
      const row = this.#row(instance.id)
      if (this.#body.children[index] !== row)
        this.#body.insertBefore(row, this.#body.children[index])
      fill(row, instance, this.#standing(instance, redis, at))
    })
  }

  /** `{ kind, words, afterMs }` of one instance. */
  #standing(instance, redis, at) {
    if (this.#underWay) return this.#arrival(instance, at)
    const confirmation = this.#receipt?.instances.find(({ id }) => id === instance.id)
    if (confirmation) return confirmed(confirmation)
    if (redis.generation === null) return { kind: 'unknown', words: 'unknown: Redis did not say' }
    if (instance.generation === null) return { kind: 'unknown', words: 'has acknowledged none yet' }
    if (instance.generation >= redis.generation) return { kind: 'current', words: 'current' }
    return { kind: 'behind', words: 'not acknowledged yet' }
  }

  #arrival({ id, generation }, at) {
    const { before, began, seen } = this.#underWay
    if (generation > before && !seen.has(id)) seen.set(id, at - began)
    if (!seen.has(id)) return { kind: 'waiting', words: 'waiting', afterMs: at - began }
    return {
      kind: 'ack',
      words: `acknowledged, seen after ${ms(seen.get(id))}`,
      afterMs: seen.get(id),
    }
  }

  #row(id) {
    if (!this.#rows.has(id)) {
      const row = this.#template.content.firstElementChild.cloneNode(true)
      row.querySelector('code').textContent = shortId(id)
      row.querySelector('code').title = id
      this.#rows.set(id, row)
    }
    return this.#rows.get(id)
  }

  #remove(id, row) {
    row.remove()
    this.#rows.delete(id)
  }
}

function confirmed({ by, confirmedAfterMs: afterMs }) {
  if (by === 'ack')
    return { kind: by, words: `confirmed after ${ms(afterMs)} (acknowledged)`, afterMs }
  if (by === 'lease-expired')
    return { kind: by, words: `lease expired after ${ms(afterMs)}`, afterMs }
  if (by === 'gone') return { kind: by, words: 'gone', afterMs }
  return {
    kind: 'open',
    words: 'not confirmed in time',
    afterMs: LONGEST_MS,
  }
}

/** Where the store does not list the fleet, the instance that answers is all that is known. */
function self({ instance, systemPrompt: { generation, leaseLeftMs } }) {
  return { id: instance, generation, leaseMs: leaseLeftMs, self: true }
}

function fill(row, { generation, leaseMs, self }, { kind, words, afterMs = null }) {
  row.dataset.kind = kind
  row.querySelector('.self').hidden = !self
  put(row.querySelector('.generation'), generation ?? 'none')
  put(row.querySelector('.number'), leaseMs === null ? '' : `${(leaseMs / 1000).toFixed(1)} s`)
  put(row.querySelector('.words'), words)
  const track = row.querySelector('.track')
  track.hidden = afterMs === null
  // From a tenth of a millisecond to a second, so that a millisecond can be seen.
  const length = Math.log10(Math.max(0.1, Math.min(afterMs ?? 0, LONGEST_MS)) * 10) / 4
  track.firstElementChild.style.inlineSize = `${Math.max(2, length * 100)}%`
}
