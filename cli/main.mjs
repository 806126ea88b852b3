#!/usr/bin/env node
// The command line of the package, for an operator.
//
//   command-line   what was asked                     output     lines for people, or JSON
//   doctor         why a set-up does not work         instance   the cache that the other commands are
//   status, invalidate, watch                         doctor/    one file for each thing that is looked at

import { commandOf, UsageError } from './command-line.mjs'
import { Output } from './output.mjs'

const COMMANDS = {
  doctor: () => import('./doctor.mjs'),
  status: () => import('./status.mjs'),
  invalidate: () => import('./invalidate.mjs'),
  watch: () => import('./watch.mjs'),
}

/** Runs one command; the status to end with. */
async function run(words) {
  try {
    const { command, options, text, status } = commandOf(words)
    const output = new Output({ json: options?.json })
    if (text) {
      output.line(text)
      return status
    }
    const { run } = await COMMANDS[command]()
    return await run({ ...options, output })
  } catch (error) {
    console.error(`grove-shared-cache: ${error.message}`)
    if (error instanceof UsageError || error.code === 'CONFIG_INVALID') return 2
    return 1
  }
}

process.exitCode = await run(process.argv.slice(2))
