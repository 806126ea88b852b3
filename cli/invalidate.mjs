// `invalidate`: drops the prompt everywhere, and prints the receipt with the proof of it.

import { whyNotShared } from './doctor/configuration.mjs'
import { withInstance } from './instance.mjs'
import { spell } from './output.mjs'

const BY = { ack: 'acknowledged', 'lease-expired': 'its lease expired', gone: 'it is gone' }

/** @returns {Promise<0 | 1>} 1 if an instance may serve the old prompt */
export async function run({ output, keyPrefix, timeoutMs }) {
  let receipt
  try {
    receipt = await withInstance({ keyPrefix }, (cache) =>
      cache.systemPrompt.invalidateSystemPrompt({ wait: 'all', timeoutMs }),
    )
  } catch (error) {
    const { code, message, cause } = error
    if (code !== 'STORE_UNAVAILABLE') throw error
    if (output.json) output.object({ error: { code, message, cause: cause?.code ?? null } })
    else output.line(`not invalidated: ${message}`)
    return 1
  }
  const proven = receipt.shared && receipt.provenAfterMs !== null
  const reason = receipt.shared ? null : whyNotShared()
  if (output.json) output.object({ ...receipt, ...(reason && { reason }) })
  else for (const line of linesOf(receipt, { reason, timeoutMs })) output.line(line)
  return proven ? 0 : 1
}

function* linesOf(
  { generation, shared, committedAt, instances, provenAfterMs },
  { reason, timeoutMs },
) {
  if (!shared) {
    yield `not shared: ${reason}. No other instance was reached`
    return
  }
  yield `generation ${generation}, committed at ${new Date(committedAt).toISOString()}`
  for (const { id, confirmedAfterMs, by } of instances) {
    yield by === null
      ? `${id}  not confirmed`
      : `${id}  after ${spell(confirmedAfterMs)}: ${BY[by] ?? by}`
  }
  const late = instances.filter(({ by }) => by === null).length
  const count = `${instances.length} ${instances.length === 1 ? 'instance' : 'instances'}`
  const within = timeoutMs ? ` within ${timeoutMs} ms` : ''
  if (provenAfterMs !== null) yield `proven for ${count} after ${spell(provenAfterMs)}`
  else if (late > 0)
    yield `not proven: ${late} of ${count} did not confirm${within}; what is silent sees it when its lease ends`
  else
    yield `not proven: it was not known${within} whether these are all instances; the others see it when their leases end`
}
