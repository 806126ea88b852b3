// The addon under each version of Node that is supported, over a real store and over the embedded one.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { hasOtherNodes, NODE_VERSIONS, nodeOf } from '../dev/other-nodes.mjs'
import { withStore } from './support/store.mjs'

const store = withStore(test)
const SMOKE = fileURLToPath(new URL('../dev/smoke.mjs', import.meta.url))
const ENDS_WITHIN_MS = 60_000

async function smoke(node, environment) {
  const { PATH, HOME } = process.env
  const { stdout } = await promisify(execFile)(node, [SMOKE], {
    env: { PATH, HOME, ...environment },
    timeout: ENDS_WITHIN_MS,
  })
  return stdout.trim().split('\n').at(-1)
}

const onGlibc = hasOtherNodes ? test : test.skip

// Before any test has begun to wait.
test.serial.before(() => {
  if (hasOtherNodes) NODE_VERSIONS.forEach(nodeOf)
})

for (const version of NODE_VERSIONS) {
  onGlibc.serial(`Node ${version} loads it, serves, invalidates, logs, closes, ends`, async (t) => {
    const last = await smoke(nodeOf(version), store.environment)
    t.true(last.startsWith(`The addon works: Node ${version} on `), last)
  })
}

test.serial('it needs no redis-server', async (t) => {
  t.regex(await smoke(process.execPath, {}), /^The addon works: /)
})
