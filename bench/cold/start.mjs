// A server's first moments: opens the program that it is given, reads the prompt, and prints what that took. Without a
// program it is a bare Node. `firstPromptMs` counts from the start of the process.

import { createHash } from 'node:crypto'

const [program] = process.argv.slice(2)
console.log(JSON.stringify(program ? await start(program) : bare()))
// What still holds a process open is not measured: a stream, a socket.
process.exit(0)

function bare() {
  return { startMs: performance.now(), residentBytes: process.memoryUsage.rss() }
}

async function start(path) {
  const beganMs = performance.now()
  const { open } = await import(path)
  const { read, sourceReads, hits, filled } = open(process.env)
  const readyMs = performance.now() - beganMs
  const prompt = await read()
  const firstPromptMs = performance.now()
  const firstResidentBytes = process.memoryUsage.rss()
  const asked = sourceReads()
  for (let hit = 0; hit < hits; hit += 1) await read()
  const residentBytes = process.memoryUsage.rss()
  await filled()
  const sha256 = createHash('sha256').update(prompt).digest('hex')
  return { readyMs, firstPromptMs, firstResidentBytes, residentBytes, sourceReads: asked, sha256 }
}
