// A run as it is kept: what was measured where, in numbers of four digits.

import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'

import { root } from '../dev/command.mjs'
import { comparisonsOf } from './goals.mjs'
import { PROMPT } from './prompt.mjs'
import { spreadOf } from './statistics.mjs'

const PEERS = ['@upstash/redis', '@supabase/postgrest-js', 'lru-cache', 'bentocache']
const DIGITS = 4

/** When and where something is measured, beside what. */
export function machineOf() {
  return {
    date: new Date().toISOString(),
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    versions: Object.fromEntries(PEERS.map((name) => [name, versionOf(name)])),
  }
}

/** @param {Awaited<ReturnType<import('./run.mjs').runBench>>} run */
export function resultsOf({ store, samples }) {
  const machine = machineOf()
  return {
    ...machine,
    store,
    promptBytes: Buffer.byteLength(PROMPT),
    comparisons: comparisonsOf(samples, machine),
    parts: mapped(samples, (sides) => mapped(sides, (measures) => mapped(measures, summaryOf))),
  }
}

/** As JSON. */
export function written(results) {
  return `${JSON.stringify(results, rounded, 2)}\n`
}

const summaryOf = (values) => ({ rounds: values.length, ...spreadOf(values) })

function rounded(name, value) {
  return typeof value !== 'number' || Number.isInteger(value)
    ? value
    : Number(value.toPrecision(DIGITS))
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version
}

const mapped = (object, changed) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, changed(value)]))
