// The file that `npm pack` makes is all that a server needs.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('..', import.meta.url))

test('a packed package is installed in an empty project and gives a prompt', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'grove-package-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const npm = (cwd, ...words) =>
    execFileSync('npm', words, { cwd, encoding: 'utf8', stdio: 'pipe' })

  const [{ filename, files }] = JSON.parse(
    npm(root, 'pack', '--json', '--pack-destination', folder),
  )
  const packed = files.map(({ path }) => path)
  for (const needed of [
    'index.js',
    'index.mjs',
    'index.d.ts',
    'index.d.mts',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'package.json',
  ]) {
    t.true(packed.includes(needed), needed)
  }
  t.is(packed.filter((path) => path.endsWith('.node')).length, 1)
  t.is(packed.length, 9, `nothing else: ${packed}`)

  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  npm(folder, 'install', '--offline', '--no-audit', '--no-fund', join(folder, filename))
  t.deepEqual(
    readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['grove-shared-cache'],
  )

  writeFileSync(
    join(folder, 'server.js'),
    `import { fetchActiveSystemPrompt } from 'grove-shared-cache'
     console.log(await fetchActiveSystemPrompt())`,
  )
  const { PATH, HOME } = process.env
  const output = execFileSync(process.execPath, ['server.js'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH, HOME, FALLBACK_SYSTEM_PROMPT: 'packed' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.is(output.trim().split('\n').at(-1), 'packed')
})
