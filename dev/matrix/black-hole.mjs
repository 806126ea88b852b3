// A port that answers no SYN: it listens, accepts nobody, and is full. A worker, because only one that is blocked accepts
// nobody.

import { createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const { port, backlog } = workerData
createServer().listen({ port, host: '127.0.0.1', backlog }, () => {
  parentPort.postMessage('listening')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})
