// Where the console of the demo posts an edited prompt to: the local source alone has it.

import { randomBytes } from 'node:crypto'

import { readBody, serve } from './loopback.mjs'
import { activatePrompt } from './prompt-edits.mjs'

const LARGEST_BYTES = 1024 * 1024
/** The headings of an assembled prompt, and the fields of a payload that are under them. */
const SECTIONS = {
  Identity: 'identity',
  'Voice Guidelines': 'voiceGuidelines',
  'Structure Rules': 'structureRules',
  'Knowledge Instructions': 'knowledgeInstructions',
  Boundaries: 'boundaries',
}

/**
 * @param {(text: string, params?: unknown[]) => Promise<object[]>} sql
 * @returns {Promise<{ url: string, stop(): Promise<void> }>} `url` takes `{ title, content }`; nobody can guess it
 */
export async function startPromptEditor(sql) {
  const path = `/${randomBytes(16).toString('hex')}`
  const server = await serve(async (request, response) => {
    const { body } = await readBody(request, LARGEST_BYTES)
    const answer = (status) => response.writeHead(status).end()
    if (request.url !== path || request.method !== 'POST') return answer(404)
    try {
      const { title, content } = JSON.parse(body)
      const [before] = await sql(`select payload from system_prompts where status = 'active'`)
      const payload = { ...before?.payload, ...sectionsOf(content) }
      await activatePrompt(sql, { title, payload })
      answer(204)
    } catch {
      answer(400)
    }
  })
  return { ...server, url: server.url + path }
}

/** The sections of a text, each of which is replaced; what is under no heading is the identity. */
export function sectionsOf(content) {
  const sections = Object.fromEntries(Object.values(SECTIONS).map((field) => [field, '']))
  const headings = new RegExp(`^## (${Object.keys(SECTIONS).join('|')})$`, 'm')
  const [first, ...rest] = content.replaceAll('\r\n', '\n').split(headings)
  sections.identity = first.trim()
  for (let index = 0; index < rest.length; index += 2) {
    const field = SECTIONS[rest[index]]
    sections[field] = [sections[field], rest[index + 1].trim()].filter(Boolean).join('\n\n')
  }
  return sections
}
