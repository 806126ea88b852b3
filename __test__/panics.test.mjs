// A mistake in the package ends the call that met it, and nothing else. Over a debug build, which can be made to panic.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  const folder = mkdtempSync(join(tmpdir(), 'grove-panics-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const addon = join(folder, 'debug.node')
  copyFileSync(await debugLibrary(), addon)
  const program = `
    import { createRequire } from 'node:module'
    import { configure, fetchActiveSystemPrompt } from 'grove-shared-cache'
    const { addon, called, settled } = createRequire(process.cwd() + '/')('./lib/native.cjs')
    configure({ fallbackPrompt: 'stand-in', logLevel: 'silent', upstashUrl: '', supabaseUrl: '' })
    const told = []
    const tell = ({ code, message, retryable }) => told.push({ code, message, retryable })
    await settled(addon.__panicInFuture()).catch(tell)
    try { called(() => addon.__panicInCall()) } catch (error) { told.push({ isError: error instanceof Error }) }
    told.push(await fetchActiveSystemPrompt())
    console.log(JSON.stringify(told))`
  const environment = { NAPI_RS_NATIVE_LIBRARY_PATH: addon }
  const { status, signal, stdout, stderr } = await runProgram(program, { environment })
  t.deepEqual({ status, signal, stderr }, { status: 0, signal: null, stderr: '' })
  const [inFuture, inCall, prompt] = JSON.parse(stdout)
  t.like(inFuture, { code: 'INTERNAL', retryable: false })
  t.regex(inFuture.message, /at node\/test_hooks\.rs:\d+; please report it$/)
  t.deepEqual(inCall, { isError: true })
  t.is(prompt, 'stand-in')
})
