// What a release publishes, laid out as the workflow does and installed from files, as no registry has it yet.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { builtAddon } from '../dev/setup.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const NAME = 'grove-shared-cache'
const PLATFORMS = [
  'darwin-arm64',
  'darwin-x64',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'linux-x64-gnu',
  'linux-x64-musl',
  'win32-x64-msvc',
]
const here = basename(builtAddon()).slice(NAME.length + 1, -'.node'.length)
const json = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'))

const folders = []
test.after.always(() => folders.forEach((folder) => rmSync(folder, { recursive: true })))

/** A copy of what is released, with the built addon standing in for each platform's. */
function lay(platforms = PLATFORMS) {
  const folder = mkdtempSync(join(tmpdir(), 'grove-release-'))
  folders.push(folder)
  const { files } = json(root, 'package.json')
  for (const file of [...files, 'package.json', 'README.md', 'LICENSE', 'dev']) {
    if (file.includes('*')) continue
    cpSync(join(root, file), join(folder, file), {
      recursive: true,
      filter: (path) => !path.includes('.cache'),
    })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const platform of platforms) {
    const artifact = join(folder, 'artifacts', `bindings-${platform}`)
    mkdirSync(artifact, { recursive: true })
    copyFileSync(builtAddon(), join(artifact, `${NAME}.${platform}.node`))
  }
  const run = spawnSync(process.execPath, ['dev/release.mjs', 'artifacts'], {
    cwd: folder,
    encoding: 'utf8',
  })
  return { folder, ...run, output: run.stdout + run.stderr }
}

function pack(folder) {
  const output = execFileSync('npm', ['pack', '--json'], {
    cwd: folder,
    encoding: 'utf8',
    stdio: 'pipe',
  })
  const [{ filename, files }] = JSON.parse(output)
  return { file: join(folder, filename), packed: files.map(({ path }) => path) }
}

const release = lay()

test('a release has a package for each platform, and names them', (t) => {
  const { folder, status, output } = release
  t.is(status, 0, output)
  const { version, optionalDependencies, devDependencies, ...rest } = json(folder, 'package.json')
  t.deepEqual(
    optionalDependencies,
    Object.fromEntries(PLATFORMS.map((platform) => [`${NAME}-${platform}`, version])),
  )
  const { devDependencies: own, ...committed } = json(root, 'package.json')
  t.deepEqual({ version, devDependencies, ...rest }, { devDependencies: own, ...committed })
  t.false('optionalDependencies' in committed, 'no registry has them before the release')
  t.deepEqual(readdirSync(join(folder, 'npm')).toSorted(), PLATFORMS)
  for (const platform of PLATFORMS) {
    const manifest = json(folder, 'npm', platform, 'package.json')
    const [os, cpu, libc] = platform.split('-')
    t.is(manifest.version, version)
    t.deepEqual([manifest.os, manifest.cpu], [[os], [cpu]])
    if (os === 'linux') t.deepEqual(manifest.libc, [{ gnu: 'glibc', musl: 'musl' }[libc]])
    t.true(existsSync(join(folder, 'npm', platform, `${NAME}.${platform}.node`)))
  }
})

test('a released package loads the addon of its platform package', (t) => {
  const { folder, status, output } = release
  t.is(status, 0, output)
  const { file, packed } = pack(folder)
  t.deepEqual(
    packed.filter((path) => path.endsWith('.node')),
    [],
    'it has no addon of its own',
  )
  const platformPackage = pack(join(folder, 'npm', here))
  const project = join(folder, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{}')
  // Not from the registry, which has none of the others.
  const words = ['install', '--offline', '--omit=optional', '--no-audit', '--no-fund']
  execFileSync('npm', [...words, file, platformPackage.file], { cwd: project, stdio: 'pipe' })
  const program = `require('${NAME}').fetchActiveSystemPrompt().then(console.log)`
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
    cwd: project,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, FALLBACK_SYSTEM_PROMPT: 'released' },
  })
  t.is(stdout.trim().split('\n').at(-1), 'released', stderr)
})

test('a release without one of its platforms is refused', (t) => {
  const { status, output } = lay(PLATFORMS.slice(1))
  t.not(status, 0)
  t.regex(output, /darwin-arm64/)
})
