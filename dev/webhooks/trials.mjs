// Many commits, one after the other, and how long each takes until all instances serve it.

import { setTimeout as wait } from 'node:timers/promises'

import { randomOf } from '../storm/random.mjs'
import { until } from '../until.mjs'
import { startFleet } from './fleet.mjs'

const HUB = 'hub'
/** So that commits come at any moment of a lease. */
const REST_MS = 50

const rowsOf = (revision) => [{ id: 'document', body: `revision ${revision}` }]

/**
 * @param {{ commits: number, size: number, seed: number, onProgress?: (words: string) => void }} options `size`: instances
 * @returns {Promise<{ size: number, trials: { webhookMs: number | null, answeredMs: number | null, lastMs: number | null }[],
 *   refused: number, wentBack: number }>} milliseconds since just before the COMMIT until the webhook arrived, until it was
 *   answered, and until the last instance served the change; null where that did not come. `refused`: webhooks that were not
 *   answered with 200; `wentBack`: values that an instance served again after a later one
 */
export async function runTrials({ commits, size, seed, onProgress = () => {} }) {
  const random = randomOf(seed)
  const fleet = await startFleet({ size })
  try {
    await fleet.commit(`insert into documents values ('document', '${HUB}', 'revision 0')`)
    await fleet.watch('documents', HUB)
    await fleet.seen('documents', HUB, rowsOf(0))
    await until(() => fleet.webhooks.length > 0, 'the webhook of the first revision')
    const trials = []
    for (let revision = 1; revision <= commits; revision += 1) {
      if (revision % 50 === 0) onProgress(`${revision} of ${commits}`)
      trials.push(await trial(fleet, revision))
      await wait(random() * REST_MS)
    }
    const answers = Object.entries(await fleet.answers())
    const histories = fleet.history('documents', HUB)
    return {
      size,
      trials,
      refused: answers.reduce((sum, [status, count]) => sum + (status === '200' ? 0 : count), 0),
      wentBack: histories.reduce((sum, history) => sum + stepsBack(history), 0),
    }
  } finally {
    await fleet.stop()
  }
}

async function trial(fleet, revision) {
  fleet.webhooks.length = 0
  const text = `update documents set body = 'revision ${revision}' where id = 'document'`
  const { fromMs } = await fleet.commit(text)
  const seen = await fleet.seen('documents', HUB, rowsOf(revision))
  const webhook = await until(() => fleet.webhooks[0]).catch(() => null)
  return {
    webhookMs: webhook && webhook.fromMs - fromMs,
    answeredMs: webhook && webhook.toMs - fromMs,
    lastMs: seen.includes(null) ? null : Math.max(...seen) - fromMs,
  }
}

function stepsBack(history) {
  const revisions = history.map((rows) => Number(rows?.[0]?.body.replace('revision ', '')))
  return revisions.filter((revision, index) => revision < revisions[index - 1]).length
}
