// The file that `npm pack` makes is all that a server needs.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('..', import.meta.url))
const NEEDED = [
  'native.js',
  'index.cjs',
  'index.mjs',
  'index.d.ts',
  'index.d.mts',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'package.json',
  'cli/main.mjs',
  'lib/cache.cjs',
  'lib/load-failure.cjs',
  'lib/webhook.cjs',
  'sql/supabase-webhooks.sql',
]
/** The command line, what is written in JavaScript, and what is run in the database. */
const PROGRAMS = /^(cli\/.+\.mjs|lib\/.+\.cjs|sql\/.+\.sql)$/
/** What the README and the documents show or send a reader to. */
const READING =
  /^(docs\/[A-Z]+\.md|docs\/console\.png|docs\/grafana\.json|docs\/storm\/storm\.svg|bench\/bench\.svg|examples\/.+)$/
/** As npm would be run by hand, but for what it would ask its registry. */
const QUIET = { npm_config_offline: 'true', npm_config_audit: 'false', npm_config_fund: 'false' }

const packages = mkdtempSync(join(tmpdir(), 'grove-packed-'))
const { file, packed } = pack(packages)
test.after.always(() => rmSync(packages, { recursive: true }))

function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'grove-package-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** An empty folder with the package in it. */
function folderWithPackage(t) {
  const folder = temporaryFolder(t)
  copyFileSync(file, join(folder, basename(file)))
  return folder
}

/** Packs the repository. */
function pack(folder) {
  const output = execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: 'pipe',
  })
  const [{ filename, files }] = JSON.parse(output)
  return { file: join(folder, filename), packed: files.map(({ path }) => path) }
}

test('a package has one addon, what loads it, its documents and nothing else', (t) => {
  for (const needed of NEEDED) t.true(packed.includes(needed), needed)
  const rest = packed.filter(
    (path) => !NEEDED.includes(path) && !READING.test(path) && !PROGRAMS.test(path),
  )
  t.is(rest.length, 1, `nothing else: ${rest}`)
  t.regex(rest[0], /^grove-shared-cache\.[\w-]+\.node$/)
})

test('what a packed document links to is packed', (t) => {
  const documents = packed.filter((path) => path.endsWith('.md'))
  const links = documents.flatMap((document) => {
    const text = readFileSync(join(root, document), 'utf8')
    return [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, to]) => ({
      document,
      to: posix.join(posix.dirname(document), to),
    }))
  })
  t.true(links.some(({ document }) => document === 'README.md'))
  const broken = links.filter(({ to }) => !packed.includes(to))
  t.deepEqual(broken, [])
})

/** PATH with Node and npm alone. */
function pathWithoutRust(t) {
  const folder = temporaryFolder(t)
  const folders = process.env.PATH.split(delimiter)
  const npm = folders.map((each) => join(each, 'npm')).find(existsSync)
  symlinkSync(process.execPath, join(folder, 'node'))
  symlinkSync(realpathSync(npm), join(folder, 'npm'))
  return folder
}

/** PATH as it is, with a cargo in front that leaves a mark if it is called. */
function pathWithWatchedRust(t) {
  const folder = temporaryFolder(t)
  for (const program of ['cargo', 'rustc']) {
    const path = join(folder, program)
    writeFileSync(path, `#!/bin/sh\n: >'${folder}/called'\n`)
    chmodSync(path, 0o755)
  }
  return {
    PATH: `${folder}${delimiter}${process.env.PATH}`,
    called: () => existsSync(join(folder, 'called')),
  }
}

const hasShell = process.platform === 'win32' ? test.skip : test
const [README_LINE] = readFileSync(join(root, 'README.md'), 'utf8').match(
  /^npm install \.\/grove-shared-cache-.+ && node -e .+$/m,
)

/** @param {string} folder with the package in it */
function runReadmeLine(folder, PATH) {
  const { HOME } = process.env
  return spawnSync('/bin/sh', ['-c', README_LINE], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...QUIET, PATH, HOME, FALLBACK_SYSTEM_PROMPT: 'packed' },
  })
}

hasShell("the README's one line installs it in an empty folder and gives a prompt", (t) => {
  const folder = folderWithPackage(t)
  const { status, stdout, stderr } = runReadmeLine(folder, pathWithoutRust(t))
  t.is(status, 0, stderr)
  t.is(stdout.trim().split('\n').at(-1), 'packed')
  t.deepEqual(
    readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['grove-shared-cache'],
  )
})

hasShell('where Rust is installed it is not used', (t) => {
  const folder = folderWithPackage(t)
  const { PATH, called } = pathWithWatchedRust(t)
  const { status, stdout, stderr } = runReadmeLine(folder, PATH)
  t.is(status, 0, stderr)
  t.is(stdout.trim().split('\n').at(-1), 'packed')
  t.false(called())
})

test('an installed package is imported too', (t) => {
  const folder = temporaryFolder(t)
  execFileSync('npm', ['install', file], {
    cwd: folder,
    stdio: 'pipe',
    env: { ...process.env, ...QUIET },
  })
  writeFileSync(
    join(folder, 'server.mjs'),
    `import { fetchActiveSystemPrompt } from 'grove-shared-cache'
     console.log(await fetchActiveSystemPrompt())`,
  )
  const { PATH, HOME } = process.env
  const output = execFileSync(process.execPath, ['server.mjs'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH, HOME, FALLBACK_SYSTEM_PROMPT: 'imported' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.is(output.trim().split('\n').at(-1), 'imported')

  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const command = (...words) =>
    spawnSync('npx', ['grove-shared-cache', ...words], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...QUIET, PATH, HOME },
      shell: process.platform === 'win32',
    })
  t.is(command('--version').stdout.trim(), version)
  const { status, stdout } = command('doctor')
  t.is(status, 1)
  t.regex(stdout, /^fail variables {2}UPSTASH_REDIS_REST_URL .* is not set/m)
})

/** The repository as far as packing looks at it. */
function repository(t, { addons = [], manifest = {} }) {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'dev'))
  for (const file of ['prepack.mjs', 'command.mjs'])
    copyFileSync(join(root, 'dev', file), join(folder, 'dev', file))
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...own, ...manifest }))
  for (const addon of addons) writeFileSync(join(folder, addon), '')
  const run = spawnSync('npm', ['pack'], { cwd: folder, encoding: 'utf8' })
  return { ...run, files: readdirSync(folder).filter((name) => name.endsWith('.tgz')) }
}

test('without an addon nothing is packed', (t) => {
  const { status, stderr, files } = repository(t, {})
  t.not(status, 0)
  t.regex(stderr, /There is no addon to pack. Run `npm run build`/)
  t.deepEqual(files, [])
})

test('a release is not packed with the addons of its platforms', (t) => {
  const manifest = { optionalDependencies: { 'grove-shared-cache-linux-x64-gnu': '0.1.0' } }
  const addon = 'grove-shared-cache.linux-x64-gnu.node'
  const refused = repository(t, { manifest, addons: [addon] })
  t.not(refused.status, 0)
  t.true(refused.stderr.includes(`remove ${addon}`), refused.stderr)
  t.is(repository(t, { manifest }).status, 0)
})
