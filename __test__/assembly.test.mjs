// Assembly gives the exact text of the server's own rule.
import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { assemblePromptContent } from 'grove-shared-cache'

const fixtures = JSON.parse(
  readFileSync(new URL('../tests/fixtures/assembly.json', import.meta.url), 'utf8'),
)

for (const { situation, payload, content } of fixtures) {
  test(situation, (t) => t.is(assemblePromptContent(payload), content))
}

const SECTIONS = {
  identity: 'Identity',
  voiceGuidelines: 'Voice Guidelines',
  structureRules: 'Structure Rules',
  knowledgeInstructions: 'Knowledge Instructions',
  boundaries: 'Boundaries',
}

test('any payload assembles as the rule says', (t) => {
  const text = fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined })
  const payloads = fc.record({
    ...Object.fromEntries(Object.keys(SECTIONS).map((name) => [name, text])),
    notes: text,
  })
  fc.assert(
    fc.property(payloads, (payload) => {
      const expected = Object.entries(SECTIONS)
        .filter(([name]) => payload[name])
        .map(([name, heading]) => `## ${heading}\n${payload[name]}`)
        .join('\n\n')
      t.is(assemblePromptContent(payload), expected)
    }),
    { numRuns: 500 },
  )
})

for (const payload of [
  undefined,
  null,
  'text',
  5,
  [],
  { identity: 5 },
  { boundaries: {} },
  () => {},
]) {
  test(`no payload: ${JSON.stringify(payload) ?? typeof payload}`, (t) => {
    t.throws(() => assemblePromptContent(payload), { instanceOf: Error, code: 'ARGUMENT_INVALID' })
  })
}

test('fields that are no sections are not looked at', (t) => {
  const payload = { identity: 'i', count: 10n, toJSON: () => 'other' }
  payload.self = payload
  t.is(assemblePromptContent(payload), '## Identity\ni')
})
