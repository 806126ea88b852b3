// What to try by hand while the instances stay up.

import { columns, heading } from './terminal.mjs'

const VARIABLES = [
  'UPSTASH_REDIS_REST_URL',
  'UPSTASH_REDIS_REST_TOKEN',
  'SUPABASE_URL',
  'SUPABASE_SERVICE_ROLE_KEY',
]
const JSON_HEADER = `-H 'content-type: application/json'`

/** @param {{ backends: object, instances: Array, webhookSecret: string }} run */
export function printInvitation({ backends: { store, source, environment }, ...run }) {
  const { instances, webhookSecret } = run
  const [first] = instances
  heading('Still running, until Ctrl-C')
  columns([
    ...instances.map(({ name, url }) => [name, url]),
    [store.local ? 'Upstash bridge' : 'your Upstash', store.url],
    [source.local ? 'Supabase gateway' : 'your Supabase', source.url],
  ])
  if (store.local && source.local) {
    heading('Use them from a server of yours, or try `npx grove-shared-cache doctor`')
    for (const name of VARIABLES) console.log(`export ${name}='${environment[name]}'`)
    if (store.keyPrefix) console.log(`# keyPrefix (doctor: --key-prefix): ${store.keyPrefix}`)
  }
  heading('Open the console')
  console.log(`${first.url}/console`)
  if (store.local)
    console.log('(So that there is something to see, five chats a second begin on each instance.)')
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
  if (!source.local) return
  heading(
    `Edit a lens, tell ${first.name} of it as Supabase does, and see what each instance serves`,
  )
  console.log(
    `curl -X PATCH '${source.url}/rest/v1/lenses?id=eq.story' ${JSON_HEADER} \\
  -H 'apikey: ${source.key}' -d '{"title":"By hand"}'
curl -X POST ${first.url}/hooks/supabase ${JSON_HEADER} \\
  -H 'authorization: Bearer ${webhookSecret}' \\
  -d '{"type":"UPDATE","schema":"public","table":"lenses","record":{"id":"story"},"old_record":{"id":"story"}}'`,
  )
  for (const { url } of instances) console.log(`curl ${url}/api/lens/story`)
}
