// Whether docs/DEPENDENCIES.md names what the manifests do, and whether the licences are those that deny.toml allows.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

import { root } from '../command.mjs'
import { compareNames, tableUnder } from './tables.mjs'

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const DOCUMENT = 'docs/DEPENDENCIES.md'

/** @returns {string[]} what is not so, one line each */
export function wrongDependencies() {
  const crates = cratesOfTheBuild()
  const { devDependencies, dependencies = {} } = JSON.parse(read('package.json'))
  const { packages } = JSON.parse(read('package-lock.json'))
  return [
    ...table(
      'Rust',
      namesInCargo('Cargo.toml'),
      (name) => crates.find((crate) => crate.name === name)?.license,
    ),
    // Its licences are nowhere on a machine that never ran the fuzzer.
    ...table('Fuzz targets', namesInCargo('fuzz/Cargo.toml')),
    ...table(
      'npm',
      Object.keys({ ...dependencies, ...devDependencies }),
      (name) => packages[`node_modules/${name}`]?.license,
    ),
    ...forbiddenLicences(crates),
  ]
}

/** A table has a line for each name, with its licence where that is known. */
function table(heading, names, licenceOf = () => undefined) {
  const where = `${DOCUMENT} ${heading}`
  const rows = [...tableUnder(read(DOCUMENT), `## ${heading}`)]
  const said = rows.map(([name, , licence]) => [name.match(/`(.+)`/)?.[1], licence])
  const wrong = compareNames(
    where,
    said.map(([name]) => name),
    names,
  )
  for (const [name, licence] of said) {
    const stated = licenceOf(name)
    if (stated && stated !== licence) wrong.push(`${where}: the licence of ${name} is ${stated}`)
  }
  return wrong
}

/** The names under every heading that ends in `dependencies`, without what lies in this repository. */
function namesInCargo(manifest) {
  const names = new Set()
  let listed = false
  for (const line of read(manifest).split('\n')) {
    if (line.startsWith('[')) listed = /(^\[|[.-])dependencies\]$/.test(line)
    const name = line.match(/^([\w-]+)\s*=/)?.[1]
    if (listed && name && !/\bpath\s*=/.test(line)) names.add(name)
  }
  return [...names]
}

/** The crates that a build or a test on the shipped platform uses, by what Cargo.lock resolves to. */
function cratesOfTheBuild() {
  const [platform] = JSON.parse(read('package.json')).napi.targets
  const words = ['tree', '--locked', '--target', platform, '--prefix', 'none']
  // Not `cargo metadata`, which also has crates of features that are off.
  const lines = execFileSync('cargo', [...words, '--format', '{p}\t{l}'], { cwd: root })
  const crates = new Set(lines.toString().trim().replaceAll(' (*)', '').split('\n'))
  return [...crates].map((line) => {
    const [crate, license] = line.split('\t')
    return { name: crate.split(' ')[0], license }
  })
}

function forbiddenLicences(crates) {
  const [, list] = read('deny.toml').match(/^allow = \[(.*?)\]/ms)
  const allowed = [...list.matchAll(/"(.+?)"/g)].map(([, licence]) => licence)
  return crates
    .filter(({ license }) => !isAllowed(license, allowed))
    .map(
      ({ name, license }) => `${name} has the licence ${license}, which deny.toml does not allow`,
    )
}

/** An SPDX expression, or the older form with slashes: AND binds closer than OR. */
export function isAllowed(expression, allowed) {
  const group = expression.match(/\(([^()]*)\)/)
  if (group) {
    const inner = isAllowed(group[1], allowed) ? allowed[0] : 'none'
    return isAllowed(expression.replace(group[0], inner), allowed)
  }
  return expression
    .split(/ OR |\s*\/\s*/)
    .some((all) => all.split(' AND ').every((licence) => allowed.includes(licence.trim())))
}
