// A mistake in the package ends the call that met it, and nothing else. Over a debug build, which can be made to panic.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { runProgram } from './support/program.mjs'

/** The library of a debug build. After `npm test` nothing is left to build; cargo says where it is. */
async function debugLibrary() {
  const words = ['test', '--locked', '--no-run', '--message-format', 'json']
  const { stdout } = await promisify(execFile)('cargo', words, { maxBuffer: 64 << 20 })
  const messages = stdout.split('\n').filter((line) => line.startsWith('{'))
  const files = messages.flatMap((line) => JSON.parse(line).filenames ?? [])
  return files.find((file) => /libgrove_shared_cache\.(so|dylib)$/.test(file))
}

test('a panic is an error of its call, prints nothing, and leaves the process and the cache as they were', async (t) => {
  t.timeout(600_000)
  const program = `
    const loaded = { exports: {} }
    process.dlopen(loaded, ${JSON.stringify(await debugLibrary())})
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
