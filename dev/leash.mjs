// Preloaded into a server that was started from here: ends it when the process that started it is gone, however that
// ended. The kernel closes the pipe that is this process' stdin then.

process.stdin.once('close', () => process.kill(process.pid, 'SIGTERM'))
process.stdin.resume()
process.stdin.unref()
