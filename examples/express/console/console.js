// The page: asks the server how things are once a second, faster while an invalidation is under way, and shows it.

import { drawLatency, drawPropagation, drawRate } from './charts.js'
import { changeFacts, lensFacts, promptFacts, stateFacts } from './facts.js'
import { Fleet } from './fleet.js'
import { History } from './history.js'
import { element, put, putFacts, say } from './page.js'
import { Refusal, askState, invalidate, saveEdit, token } from './server.js'
import { ms, share, shortId } from './words.js'

const POLL_MS = 2000
// With the time that an answer takes, at most ten a second.
const FAST_POLL_MS = 100
const UNANSWERED_POLL_MS = 2000
const LIMITED_POLL_MS = 15_000

const history = new History()
const fleet = new Fleet(element('fleet'), element('instance'))
let state = null
let invalidating = false
/** What is in the edit box: the prompt that is served, something typed, or a prompt that was saved and is not served yet. */
let box = 'served'
let timer = null

element('invalidate').addEventListener('click', onInvalidate)
element('token-form').addEventListener('submit', onToken)
element('edit-form').addEventListener('submit', onSave)
element('edit-form').addEventListener('input', () => (box = 'typed'))
element('forget').addEventListener('click', onForget)
document.addEventListener('visibilitychange', () => !document.hidden && poll())
new ResizeObserver(() => state && drawCharts()).observe(element('content'))
poll()

/** Asks once, and again after a while; not while nobody looks. */
async function poll() {
  clearTimeout(timer)
  timer = null
  const wait = await ask()
  // An invalidation polls by itself, and another poll may have begun meanwhile.
  if (wait === null || invalidating || timer !== null) return
  if (!document.hidden) timer = setTimeout(poll, wait)
}

/** @returns {Promise<number | null>} how long to wait before the next time; null: until something is done */
async function ask() {
  try {
    state = await askState()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return onRefused(error)
  }
  notify(null)
  history.add(state, performance.now())
  show()
  return POLL_MS
}

function onRefused(refusal) {
  link('broken', refusal.status === 0 ? 'No answer' : `Refused (${refusal.status})`)
  if (refusal.status === 401) return askForToken(refusal)
  notify(refusal)
  return refusal.status === 429 ? LIMITED_POLL_MS : UNANSWERED_POLL_MS
}

async function onInvalidate() {
  const button = element('invalidate')
  // Not `disabled`, which would take the focus away.
  if (invalidating) return
  invalidating = true
  button.setAttribute('aria-disabled', 'true')
  say(element('outcome'), 'Invalidating', 'waiting')
  fleet.begin(state, performance.now())
  fleet.show(state, performance.now())
  const answer = invalidate().then(
    (receipt) => ({ receipt }),
    (refusal) => ({ refusal }),
  )
  const { receipt, refusal } = await watchUntil(answer)
  invalidating = false
  button.removeAttribute('aria-disabled')
  fleet.end(receipt ?? null)
  fleet.show(state, performance.now())
  if (receipt) onProven(receipt)
  else onFailed(refusal)
  await poll()
}

/** Polls fast until the invalidation is answered. */
async function watchUntil(answer) {
  let over = false
  answer.finally(() => (over = true))
  while (!over) {
    const pause = new Promise((resolve) => setTimeout(resolve, FAST_POLL_MS))
    const polled = askState().then(
      (latest) => {
        if (over) return
        state = latest
        history.add(state, performance.now())
        show()
      },
      () => {},
    )
    await Promise.race([answer, Promise.all([pause, polled])])
  }
  return answer
}

function onProven(receipt) {
  const kind = receipt.shared && receipt.provenAfterMs !== null ? 'proven' : 'failed'
  say(element('outcome'), proofOf(receipt), kind)
  if (box === 'saved') box = 'served'
  say(element('edit-outcome'), '', 'idle')
}

function proofOf({ shared, instances, provenAfterMs }) {
  if (!shared)
    return (
      'There is no shared cache, so this instance alone dropped the prompt. ' +
      'Invalidate on each of the others, too.'
    )
  const open = instances.filter(({ confirmedAfterMs }) => confirmedAfterMs === null)
  if (provenAfterMs === null)
    return `Not proven yet: ${open.length} of ${instances.length} did not confirm. Invalidate again.`
  const confirmations = instances.map(({ confirmedAfterMs }) => confirmedAfterMs)
  const proven = `Proven everywhere after ${ms(provenAfterMs)}`
  if (provenAfterMs <= Math.max(...confirmations)) return proven
  return `${proven}, when every lease had ended: Redis was not sure yet to know all instances`
}

function onFailed(refusal) {
  if (!(refusal instanceof Refusal)) throw refusal
  if (refusal.status === 401) askForToken(refusal)
  say(element('outcome'), `${refusal.message} ${refusal.advice}`, 'failed')
}

async function onSave(event) {
  event.preventDefault()
  const outcome = element('edit-outcome')
  const [title, content] = [element('edit-name').value, element('edit-text').value]
  try {
    say(outcome, 'Saving', 'waiting')
    await saveEdit({ title, content })
    box = 'saved'
    say(outcome, 'Saved. The instances serve the old prompt until you invalidate.', 'proven')
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal
    if (refusal.status === 401) askForToken(refusal)
    say(outcome, `${refusal.message} ${refusal.advice}`, 'failed')
  }
}

function askForToken({ message, advice }) {
  const asked = !element('token').hidden
  element('token').hidden = false
  element('content').hidden = true
  element('forget').hidden = true
  link('waiting', 'Needs a token')
  notify(token.get() === null ? null : { message, advice })
  token.forget()
  if (!asked) element('token-field').focus()
  return null
}

async function onToken(event) {
  event.preventDefault()
  token.set(element('token-field').value)
  element('token-field').value = ''
  await poll()
}

function onForget() {
  token.forget()
  location.reload()
}

function show() {
  const { instance } = state
  link('live', `Answered by ${shortId(instance)}`)
  const first = element('content').hidden
  element('content').hidden = false
  if (!element('token').hidden) {
    element('token').hidden = true
    element('invalidate').focus()
  }
  element('forget').hidden = token.get() === null
  putFacts(element('facts'), stateFacts(state, history.cost(performance.now())))
  showFleet()
  showPrompt()
  showResources()
  showEdit()
  // Hidden, it had no width.
  if (first) requestAnimationFrame(drawCharts)
  else drawCharts()
}

function showFleet() {
  fleet.show(state, performance.now())
  const number = state.fleet?.length
  element('fleet-hint').textContent =
    number === undefined
      ? 'Redis does not list it: only the instance that answers is shown'
      : `${number} ${number === 1 ? 'instance has' : 'instances have'} read in the last five minutes`
}

function showPrompt() {
  const { title, source, contentPreview, fullContent } = state
  put(element('prompt-name'), title ?? `The ${source} prompt`)
  putFacts(element('prompt-facts'), promptFacts(state))
  put(element('preview'), contentPreview)
  put(element('full'), fullContent)
}

function showResources() {
  const { resources } = state
  element('resources').hidden = resources === null
  if (resources === null) return
  const { lenses, changes } = resources
  putFacts(element('lenses'), lensFacts(lenses))
  putFacts(element('changes'), changeFacts(changes))
  put(
    element('changes-hint'),
    changes.length === 0
      ? 'None was invalidated through this server yet'
      : 'Invalidated through this server, the newest first',
  )
}

function showEdit() {
  element('edit').hidden = !state.editable
  if (!state.editable || box !== 'served') return
  element('edit-name').value = state.title ?? ''
  element('edit-text').value = state.fullContent
}

function drawCharts() {
  const now = performance.now()
  const rate = history.hitRates.at(-1)?.rate ?? null
  chart(
    'hit-rate',
    rate === null ? 'No reads yet' : `${share(rate)} in the last 10 s`,
    (plot, words) => drawRate(plot, history.hitRates, now, words),
  )

  const { reads, invalidations } = history
  chart('latency', latencyOf(reads), (plot, words) => drawLatency(plot, reads, words))
  chart('propagation', propagationOf(invalidations.at(-1)), (plot, words) =>
    drawPropagation(plot, invalidations, words),
  )
}

function latencyOf(reads) {
  if (reads.length === 0) return 'No chats yet'
  const times = reads.map((read) => read.ms).toSorted((one, other) => one - other)
  return `Median ${ms(times[Math.floor(times.length / 2)])}, slowest ${ms(times.at(-1))}`
}

function propagationOf(receipt) {
  if (receipt === undefined) return 'No invalidations yet'
  const { provenAfterMs } = receipt
  return provenAfterMs === null ? 'Last: not proven' : `Last: everywhere after ${ms(provenAfterMs)}`
}

function chart(id, value, draw) {
  const figure = element(id)
  put(figure.querySelector('.value'), value)
  draw(figure.querySelector('.plot'), `${figure.querySelector('h2').textContent}: ${value}`)
}

function link(kind, words) {
  document.querySelector('.link').dataset.state = kind
  put(element('link'), words)
}

function notify(refusal) {
  const notice = element('notice')
  notice.hidden = refusal === null
  put(notice, refusal === null ? '' : `${refusal.message} ${refusal.advice}`)
}
