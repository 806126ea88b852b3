// Whether what builds and ships the package elsewhere fits this repository: the platforms of the workflow and of the README, and
// the commands and paths of workflows and Dockerfiles, none of which a test here runs.
import { existsSync, readFileSync, readdirSync } from 'node:fs'

import { compareNames, tableUnder } from './tables.mjs'

const at = (path) => new URL(`../../${path}`, import.meta.url)
const read = (path) => readFileSync(at(path), 'utf8')
const inFolder = (folder) => readdirSync(at(folder)).map((file) => `${folder}/${file}`)

const WORKFLOW = '.github/workflows/release.yml'

/** @returns {string[]} what is not so, one line each */
export function unfitRelease() {
  const dockerfiles = inFolder('examples/docker')
  return [
    ...platforms(),
    ...dockerfiles.flatMap(copiedPaths),
    ...[...inFolder('.github/workflows'), ...dockerfiles].flatMap(commands),
  ]
}

/** The release builds each target of package.json, and the README has a line for each. */
function platforms() {
  const { targets } = JSON.parse(read('package.json')).napi
  const [, build] = read(WORKFLOW).match(/^ {2}build:\n(.*?)^ {2}\w/ms)
  const built = [...build.matchAll(/^ +- target: (\S+)$/gm)].map(([, target]) => target)
  const said = [...tableUnder(read('README.md'), '### Platforms')].flatMap(([, target]) =>
    [...target.matchAll(/`(.+?)`/g)].map(([, name]) => name),
  )
  return [
    ...compareNames(WORKFLOW, built, targets),
    ...compareNames('README platforms', said, targets),
  ]
}

/** What a Dockerfile copies from the repository is there. */
function copiedPaths(dockerfile) {
  return [...read(dockerfile).matchAll(/^COPY (?!--from)(.+) \S+$/gm)]
    .flatMap(([, paths]) => paths.split(' '))
    .filter((path) => !existsSync(at(path)))
    .map((path) => `${dockerfile}: there is no ${path}`)
}

/** The programs and scripts that it runs are there. */
function commands(file) {
  const text = read(file)
  const { scripts } = JSON.parse(read('package.json'))
  const programs = [...text.matchAll(/\b(?:node|bash) ((?:\.ci|dev)\/[\w./-]+)/g)]
  return [
    ...programs
      .filter(([, path]) => !existsSync(at(path)))
      .map(([, path]) => `${file}: there is no ${path}`),
    ...[...text.matchAll(/npm run ([\w:-]+)/g)]
      .filter(([, script]) => !scripts[script])
      .map(([, script]) => `${file}: there is no npm script ${script}`),
  ]
}
