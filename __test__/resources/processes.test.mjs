// How a process with resources ends, its threads, and what of it is collected. Over the real store.
import test from 'ava'

import { runProgram } from '../support/program.mjs'
import { withStore } from '../support/store.mjs'

const store = withStore(test)

test.serial('a process with resources ends by itself, with loads under way too', async (t) => {
  const program = `
    import { SharedCache } from 'grove-shared-cache'
    globalThis.kept = new SharedCache({ logLevel: 'silent', redisTimeoutMs: 5000 })
    const one = kept.resource({ name: 'thing', load: async (id) => 'of ' + id, tags: (id) => [id] })
    console.log(await one.get('id'), (await one.invalidate('id')).shared, await one.get('id'))
    const never = kept.resource({ name: 'never', load: () => new Promise(() => {}) })
    never.get('id').catch(() => {})`
  const { environment } = store
  const { status, signal, stdout, stderr } = await runProgram(program, { environment })
  t.deepEqual([signal, stderr], [null, ''])
  t.is(stdout, 'of id true of id\n')
  t.is(status, 0)
})

test.serial('a cache is collected, though its loader sees it', async (t) => {
  const program = `
    import { SharedCache } from 'grove-shared-cache'
    const gone = []
    for (let made = 0; made < 20; made++) {
      const cache = new SharedCache({ logLevel: 'silent', redisTimeoutMs: 5000 })
      const one = cache.resource({ name: 'thing', load: async (id) => (cache ? 'of ' + id : '') })
      if ((await one.get('id')) !== 'of id') throw new Error('no value')
      gone.push(new WeakRef(cache))
    }
    for (let turn = 0; turn < 200 && gone.some((each) => each.deref()); turn++) {
      gc()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    console.log(gone.filter((each) => each.deref()).length)`
  const { environment } = store
  const flags = ['--expose-gc']
  const { status, stdout, stderr } = await runProgram(program, { environment, flags })
  t.deepEqual([status, stderr], [0, ''])
  // A few may be in registers still; held by the addon, all would be there.
  t.true(Number(stdout) < 5, stdout)
})

test.serial('each worker has a cache of its own on the same keys', async (t) => {
  const worker = `
    import { parentPort, workerData } from 'node:worker_threads'
    import { SharedCache } from 'grove-shared-cache'
    const cache = new SharedCache({ logLevel: 'silent', redisTimeoutMs: 5000 })
    const one = cache.resource({ name: 'thing', load: async (id) => ({ id, of: 'a loader' }) })
    const values = await Promise.all(['a', 'b', workerData].map(one.get))
    parentPort.postMessage(values)`
  const program = `
    import { once } from 'node:events'
    import { Worker } from 'node:worker_threads'
    const one = async (workerData) => {
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData })
      const [[values], [status]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')])
      return [status, ...values.map(({ id }) => id)].join()
    }
    console.log((await Promise.all(['w', 'x', 'y', 'z'].map(one))).join(' '))`
  const { environment } = store
  const { status, stdout, stderr } = await runProgram(program, { environment })
  t.deepEqual([status, stderr], [0, ''])
  t.is(stdout, '0,a,b,w 0,a,b,x 0,a,b,y 0,a,b,z\n')
})
