// The prompt of every measurement: 15 KB of words that a compressor finds no more alike than those of real prompts.

import { assemblePromptContent } from 'grove-shared-cache'

import { randomOf } from '../dev/storm/random.mjs'

const BYTES = 15 * 1024
const WORDS =
  `answer question reader chat place tone story essay voice never always when where two three sentences plain
warm short precise material link topic offer name guess quote ask explain begin end with without before after every other
the a of to and in that is it for as not be this by from or an at which but one all`.split(/\s+/)
const SECTIONS = [
  'identity',
  'voiceGuidelines',
  'structureRules',
  'knowledgeInstructions',
  'boundaries',
]

export const PAYLOAD = payloadOf(BYTES)
export const PROMPT = assemblePromptContent(PAYLOAD)

/** Throws unless this is the whole prompt: a side that reads something else would be measured at nothing. */
export function requirePrompt(side, got) {
  if (got !== PROMPT)
    throw new Error(`${side} did not give the prompt, but ${String(got).slice(0, 80)}`)
}

function payloadOf(bytes) {
  const random = randomOf(1)
  const payload = Object.fromEntries(SECTIONS.map((section) => [section, '']))
  const each = bytes / SECTIONS.length
  for (const section of SECTIONS) {
    while (payload[section].length < each)
      payload[section] += `${WORDS[Math.floor(random() * WORDS.length)]} `
  }
  const over = assemblePromptContent(payload).length - bytes
  payload.boundaries = payload.boundaries.slice(0, -over)
  return payload
}
