// Webhooks: who is believed, what is refused, and what the sender is told.
import { createHmac } from 'node:crypto'
import test from 'ava'
import { BEARER, bodyOf, handlerFor, SECRET, signed } from './support/webhooks.mjs'

const BODY = bodyOf()
const TAKEN = { status: 200, body: { invalidated: { entries: 2, resources: 0, tags: 1 } } }
const NOT_VERIFIED = { status: 401, body: { error: 'not verified' } }

const SHOWN = [
  ['the secret as a bearer', BEARER],
  ['a bearer in other letters', { Authorization: `bearer  ${SECRET}` }],
  ['the secret in its own header', { 'X-Webhook-Secret': SECRET }],
  [
    'the secret beside another authorization',
    { authorization: 'Basic eA==', 'x-webhook-secret': SECRET },
  ],
  ['headers of Fetch', new Headers({ 'X-Webhook-Secret': SECRET })],
]
for (const [situation, headers] of SHOWN) {
  test(`${situation} is believed`, async (t) => {
    const { handle, calls } = handlerFor(t)
    t.deepEqual(await handle({ headers, body: BODY }), TAKEN)
    t.deepEqual(calls, [
      { entries: { rag: ['new', 'old'] }, resources: [], tags: ['table:public.documents'] },
    ])
  })
}

const NOT_SHOWN = [
  ['no header', {}],
  ['an empty bearer', { authorization: 'Bearer ' }],
  ['the bare secret as authorization', { authorization: SECRET }],
  ['the secret in another scheme', { authorization: `Basic ${SECRET}` }],
  ['a shorter secret', { 'x-webhook-secret': SECRET.slice(1) }],
  ['a longer secret', { 'x-webhook-secret': `${SECRET}0` }],
  ['another secret of the same length', { 'x-webhook-secret': SECRET.replace('0', 'O') }],
  ['an empty secret', { 'x-webhook-secret': '' }],
  ['the secret twice', { 'x-webhook-secret': [SECRET, SECRET] }],
  ['headers that are none', null],
]
for (const [situation, headers] of NOT_SHOWN) {
  test(`${situation} is refused`, async (t) => {
    const { handle, calls } = handlerFor(t)
    t.deepEqual(await handle({ headers, body: BODY }), NOT_VERIFIED)
    t.deepEqual(calls, [])
  })
}

test('a request that is none is refused', async (t) => {
  const { handle } = handlerFor(t)
  for (const request of [undefined, null, 'x', {}]) t.deepEqual(await handle(request), NOT_VERIFIED)
})

const now = () => Date.now() / 1000
const other = 'x'.repeat(40)
const SIGNED = [
  ['a signature', () => signed(BODY)],
  ['a signature of almost five minutes ago', () => signed(BODY, { at: now() - 290 })],
  ['a signature of a clock that is ahead', () => signed(BODY, { at: now() + 290 })],
  [
    'one of several signatures',
    () => {
      const [mine, old] = [signed(BODY), signed(BODY, { secret: other })]
      const both = `${old['webhook-signature']} v1a,x ${mine['webhook-signature']}`
      return { ...mine, 'webhook-signature': both }
    },
  ],
  ['a signature beside a wrong secret', () => ({ ...signed(BODY), authorization: 'Bearer wrong' })],
  ['the secret beside a wrong signature', () => ({ ...signed('other'), ...BEARER })],
]
for (const [situation, headers] of SIGNED) {
  test(`${situation} is believed`, async (t) => {
    const { handle } = handlerFor(t)
    t.deepEqual(await handle({ headers: headers(), body: BODY }), TAKEN)
    t.deepEqual(await handle({ headers: headers(), body: Buffer.from(BODY) }), TAKEN)
  })
}

const without = (name) => {
  const { [name]: _, ...rest } = signed(BODY)
  return rest
}
const FORGED = [
  ['a signature with another secret', () => signed(BODY, { secret: other })],
  ['a signature of another body', () => signed(`${BODY} `)],
  ['a signature under another id', () => ({ ...signed(BODY), 'webhook-id': 'msg_2' })],
  [
    'a signature at another time',
    () => ({ ...signed(BODY), 'webhook-timestamp': `${Math.floor(now()) - 1}` }),
  ],
  ['a signature without an id', () => without('webhook-id')],
  ['a signature without a time', () => without('webhook-timestamp')],
  ['a time that is none', () => ({ ...signed(BODY), 'webhook-timestamp': '1e9' })],
  [
    'a signature of another version',
    () => ({
      ...signed(BODY),
      'webhook-signature': signed(BODY)['webhook-signature'].replace('v1', 'v2'),
    }),
  ],
  [
    'a shorter signature',
    () => ({
      ...signed(BODY),
      'webhook-signature': signed(BODY)['webhook-signature'].slice(0, -1),
    }),
  ],
  ['an empty signature', () => ({ ...signed(BODY), 'webhook-signature': '' })],
  [
    'the ninth signature',
    () => ({
      ...signed(BODY),
      'webhook-signature': `${'v1,x '.repeat(8)}${signed(BODY)['webhook-signature']}`,
    }),
  ],
]
for (const [situation, headers] of FORGED) {
  test(`${situation} is refused`, async (t) => {
    const { handle, calls } = handlerFor(t)
    t.deepEqual(await handle({ headers: headers(), body: BODY }), NOT_VERIFIED)
    t.deepEqual(calls, [])
  })
}

test('a good signature outside the window is refused, and its sender told of his clock', async (t) => {
  const { handle, calls } = handlerFor(t)
  const late = { status: 401, body: { error: 'the timestamp is more than 300 s off' } }
  for (const seconds of [-302, 302])
    t.deepEqual(await handle({ headers: signed(BODY, { at: now() + seconds }), body: BODY }), late)
  const never = signed(BODY, { at: NaN })
  t.deepEqual(await handle({ headers: never, body: BODY }), late, 'a time that is none')
  const forged = signed(BODY, { at: now() - 302, secret: other })
  t.deepEqual(await handle({ headers: forged, body: BODY }), NOT_VERIFIED)
  t.deepEqual(calls, [])
})

test('the same webhook again does the same again', async (t) => {
  const { handle, calls } = handlerFor(t)
  const request = { headers: signed(BODY), body: BODY }
  t.deepEqual([await handle(request), await handle(request)], [TAKEN, TAKEN])
  t.deepEqual(calls[0], calls[1])
})

test('a secret of the form whsec_ has its key encoded', async (t) => {
  const key = Buffer.from('canary-of-a-key-in-thirty-two-b.')
  const { handle } = handlerFor(t, { secret: () => `whsec_${key.toString('base64')}` })
  const [id, at] = ['msg_1', String(Math.floor(now()))]
  const signature = createHmac('sha256', key).update(`${id}.${at}.${BODY}`).digest('base64')
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': at,
    'webhook-signature': `v1,${signature}`,
  }
  t.deepEqual(await handle({ headers, body: BODY }), TAKEN)
})

test('without a secret nobody is believed', async (t) => {
  for (const secret of [undefined, '']) {
    const { handle, calls } = handlerFor(t, { secret: () => secret })
    const reply = { status: 500, body: { error: 'no webhook secret is configured' } }
    for (const headers of [
      {},
      { authorization: 'Bearer ' },
      { 'x-webhook-secret': '' },
      signed(BODY),
    ])
      t.deepEqual(await handle({ headers, body: BODY }), reply)
    t.deepEqual(calls, [])
  }
})

const MALFORMED = [
  ['no JSON', '{"type"', /not JSON/],
  ['nothing', '', /not JSON/],
  ['null', 'null', /^type/],
  ['a list', '[]', /^type/],
  [
    'another type',
    bodyOf({ type: 'update' }),
    /^type is none of INSERT, UPDATE, DELETE, TRUNCATE$/,
  ],
  ['a type that is inherited', bodyOf({ type: 'constructor' }), /^type/],
  ['no table', bodyOf({ table: undefined }), /^table/],
  ['a table that is a number', bodyOf({ table: 1 }), /^table/],
  ['a table without a name', bodyOf({ table: '' }), /^table/],
  ['a table with a long name', bodyOf({ table: 'x'.repeat(64) }), /^table/],
  ['a table with half a character', bodyOf({ table: 'x\ud800' }), /^table/],
  ['no schema', bodyOf({ schema: null }), /^schema/],
  ['a record that is a text', bodyOf({ record: 'canary' }), /^record/],
  ['a record that is a list', bodyOf({ record: [] }), /^record/],
  ['an old record that is a number', bodyOf({ old_record: 1 }), /^old_record/],
]
for (const [situation, body, message] of MALFORMED) {
  test(`a body with ${situation} is malformed`, async (t) => {
    const { handle, calls } = handlerFor(t)
    const reply = await handle({ headers: BEARER, body })
    t.is(reply.status, 400)
    t.regex(reply.body.error, message)
    t.deepEqual(calls, [])
  })
}

for (const code of ['STORE_UNAVAILABLE', 'CLOSED']) {
  test(`an invalidation that fails with ${code} may be sent again`, async (t) => {
    const failure = Object.assign(new Error('canary'), { code })
    const { handle, warnings } = handlerFor(t, { invalidate: () => Promise.reject(failure) })
    t.deepEqual(await handle({ headers: BEARER, body: BODY }), {
      status: 503,
      body: { error: 'the invalidation did not reach the store', code, retryable: true },
    })
    t.deepEqual(warnings, [])
  })
}

test('whatever else goes wrong is a reply too, and a warning', async (t) => {
  const throws = () => {
    throw new RangeError('canary')
  }
  for (const part of ['secret', 'resources', 'invalidate']) {
    const { handle, warnings } = handlerFor(t, { [part]: throws })
    const { status, body } = await handle({ headers: BEARER, body: BODY })
    t.deepEqual([status, body], [500, { error: 'the webhook was not handled' }], part)
    t.deepEqual(warnings, ['a webhook was not handled (RangeError)'])
  }
})
