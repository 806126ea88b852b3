// What to try by hand while the instances stay up.

import { columns, heading } from './terminal.mjs'

const JSON_HEADER = `-H 'content-type: application/json'`

/** @param {{ backends: object, instances: Array }} run */
export function printInvitation({ backends: { store, source }, instances }) {
  const [first] = instances
  heading('Still running, until Ctrl-C')
  columns([
    ...instances.map(({ name, url }) => [name, url]),
    [store.local ? 'Upstash bridge' : 'your Upstash', store.url],
    [source.local ? 'Supabase gateway' : 'your Supabase', source.url],
  ])
  heading('Open the console')
  console.log(`${first.url}/console`)
  if (source.local) {
    heading('Edit the prompt, there or by hand')
    console.log(
      `curl -X PATCH '${source.url}/rest/v1/system_prompts?status=eq.active' ${JSON_HEADER} \\
  -H 'apikey: ${source.key}' \\
  -d '{"title":"By hand","payload":{"identity":"You are a patient gardener.","closingBehavior":"question"}}'`,
    )
  }
  heading(`Invalidate it through ${first.name}`)
  console.log(
    `curl -X POST ${first.url}/api/cache/invalidate ${JSON_HEADER} -d '{"type":"system-prompt"}'`,
  )
  heading('See what each instance serves')
  for (const { url } of instances) console.log(`curl -X POST ${url}/api/chat/init`)
  console.log(`curl ${first.url}/api/debug/system-prompt`)
}
