// A mistake in the package ends the call that met it, and nothing else. Over a debug build, which can be made to panic.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { runProgram } from './support/program.mjs'

test('a panic is an error of its call, prints nothing, and leaves the process and the cache as they were', async (t) => {
  t.timeout(600_000)
  // What `npm test` built before: nothing is left to do then.
  await promisify(execFile)('cargo', ['test', '--locked', '--no-run'])
  const suffix = process.platform === 'darwin' ? 'dylib' : 'so'
  const built = new URL(`../target/debug/libgrove_shared_cache.${suffix}`, import.meta.url)
  const program = `
    const loaded = { exports: {} }
    process.dlopen(loaded, ${JSON.stringify(fileURLToPath(built))})
    const { __panicInFuture, __panicInCall, configure, fetchActiveSystemPrompt } = loaded.exports
    configure({ fallbackPrompt: 'stand-in', logLevel: 'silent', upstashUrl: '', supabaseUrl: '' })
    const told = []
    await __panicInFuture().catch(({ code, message, retryable }) => told.push({ code, message, retryable }))
    try { __panicInCall() } catch (error) { told.push({ isError: error instanceof Error }) }
    told.push(await fetchActiveSystemPrompt())
    console.log(JSON.stringify(told))`
  const { status, signal, stdout, stderr } = await runProgram(program)
  t.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' })
  const [inFuture, inCall, prompt] = JSON.parse(stdout)
  t.like(inFuture, { code: 'INTERNAL', retryable: false })
  t.regex(inFuture.message, /at binding\/rehearsals\.rs:\d+; please report it$/)
  t.deepEqual(inCall, { isError: true })
  t.is(prompt, 'stand-in')
})
