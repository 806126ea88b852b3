// What a program is told where the package has no addon that its machine can load.
import { execFile } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { builtAddon } from '../dev/setup.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const NAME = 'grove-shared-cache'
const FILES = ['index.cjs', 'index.mjs', 'native.js']
const REQUIRE = `require('${NAME}')`
const ADDON = basename(builtAddon())
/** Makes the process one on another platform, for all that JavaScript sees of it. */
const on = (platform, arch) =>
  `for (const [name, value] of Object.entries({ platform: '${platform}', arch: '${arch}' }))
     Object.defineProperty(process, name, { value })`
const ON_ALPINE = `const fs = require('node:fs')
  fs.readFileSync = ((read) => (path, ...more) => path === '/usr/bin/ldd' ? 'musl libc' : read(path, ...more))(fs.readFileSync)
  process.report.getReport = () => ({ header: {} })`

/** An installed package, with what is given in place of the addon's bytes; without it none. */
function install(t, { addon, manifest = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'grove-load-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const installed = join(folder, 'node_modules', NAME)
  mkdirSync(installed, { recursive: true })
  for (const file of FILES) copyFileSync(join(root, file), join(installed, file))
  cpSync(join(root, 'lib'), join(installed, 'lib'), { recursive: true })
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ ...own, ...manifest }))
  if (addon) writeFileSync(join(installed, ADDON), addon)
  return folder
}

/** Loads it in a process of its own, and gives what it threw. */
function loadIn(folder, { program = REQUIRE, before = '', environment = {}, flags = [] } = {}) {
  const preload = join(folder, 'before.cjs')
  writeFileSync(preload, before)
  const caught = `
    const texts = (error) => (error ? [error.message, ...texts(error.cause)] : [])
    const load = async () => ${program}
    load().then(
      () => console.log(JSON.stringify({ loaded: true })),
      (error) => console.log(JSON.stringify({ code: error.code, message: error.message, causes: texts(error.cause) })),
    )`
  const { PATH } = process.env
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...flags, '--require', preload, '--input-type=commonjs', '--eval', caught],
      { cwd: folder, env: { PATH, ...environment }, timeout: 30_000 },
      (error, stdout, stderr) => (error ? reject(error) : resolve(JSON.parse(stdout || stderr))),
    )
  })
}

const onLinux = process.platform === 'linux' ? test : test.skip

for (const [way, program] of [
  ['require', REQUIRE],
  ['import', `import('${NAME}')`],
]) {
  onLinux(`${way}: an addon of another platform is named, and so is what to do`, async (t) => {
    const folder = install(t, { addon: 'never read' })
    const { code, message, causes } = await loadIn(folder, {
      program,
      before: on('linux', 'riscv64'),
    })
    t.is(code, 'ADDON_UNAVAILABLE')
    t.regex(message, /on linux-riscv64-gnu \(Node \d+\.\d+\.\d+, glibc \d+\.\d+\)/)
    t.true(message.includes(`only ${ADDON}`), message)
    t.regex(message, /packed by hand/)
    t.regex(message, /Rust.*npm run build/)
    t.notRegex(message, /bug/, 'nothing is blamed on npm')
    t.regex(
      causes.join('\n'),
      /Cannot find module '\.\/grove-shared-cache\.linux-riscv64-gnu\.node'/,
    )
  })
}

onLinux('a release without its platform package says how it was left out', async (t) => {
  const released = (target) => ({ optionalDependencies: { [`${NAME}-${target}`]: '0.1.0' } })
  const left = await loadIn(install(t, { manifest: released('darwin-arm64') }), {
    before: on('darwin', 'arm64'),
  })
  t.regex(left.message, /on darwin-arm64 \(Node \d/)
  t.regex(left.message, /grove-shared-cache-darwin-arm64: install without --omit=optional/)
  t.regex(left.message, /package-lock\.json/)
  const other = await loadIn(install(t, { manifest: released('darwin-arm64') }), {
    before: on('freebsd', 'x64'),
  })
  t.regex(other.message, /on freebsd-x64 \(Node \d/)
  t.regex(other.message, /no release for it/)
  t.notRegex(other.message, /optional/)
})

onLinux('on Alpine it says so, and where to read on', async (t) => {
  const { message, causes } = await loadIn(install(t, { addon: 'never read' }), {
    before: ON_ALPINE,
  })
  t.regex(message, /on linux-\w+-musl \(Node \d+\.\d+\.\d+, musl\)/)
  t.regex(message, /README\.md in the package has an image under "Alpine"/)
  t.regex(causes.join('\n'), /-musl\.node/, 'that is what the loader looked for')
  t.true(/^#+ Alpine$/m.test(readFileSync(join(root, 'README.md'), 'utf8')))
})

onLinux('a glibc that is too old is told by its version', async (t) => {
  const addon = readFileSync(builtAddon(), 'latin1')
  const needed = addon.match(/\0GLIBC_2\.3\d\0/)
  t.truthy(needed, 'it needs one that is replaced below')
  // Of the same length; the system looks for it by its hash and then by its name.
  const later = Buffer.from(addon.replaceAll(needed[0], '\0GLIBC_2.99\0'), 'latin1')
  const { message, causes } = await loadIn(install(t, { addon: later }))
  t.regex(message, /version `GLIBC_2\.99' not found/)
  t.regex(message, /needs glibc 2\.99 or later, and this system has \d+\.\d+\. Take a newer image/)
  t.true(causes.some((cause) => cause.includes('GLIBC_2.99')))
})

onLinux('a file that the system refuses is told with its reason', async (t) => {
  const { code, message } = await loadIn(install(t, { addon: 'of another machine' }))
  t.is(code, 'ADDON_UNAVAILABLE')
  t.regex(message, /: \S+\.node: (file too short|invalid ELF header)/)
  t.regex(message, /copied from another machine/)
})

test('a Node that may load no addon is told how it may', async (t) => {
  const folder = install(t, { addon: readFileSync(builtAddon()) })
  const { message } = await loadIn(folder, { flags: ['--no-addons'] })
  t.regex(message, /loading addons is disabled/)
  t.regex(message, /--allow-addons where it has --permission, and without --no-addons/)
  t.notRegex(message, /Rust/)
})

onLinux('a variable that names the wrong file is named', async (t) => {
  const { message } = await loadIn(install(t, { addon: readFileSync(builtAddon()) }), {
    environment: { NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere/addon.node' },
  })
  t.regex(message, /NAPI_RS_NATIVE_LIBRARY_PATH is set/)
  t.regex(message, /Unset it/)
})

test('in a clone of the repository it says to build', async (t) => {
  const folder = install(t)
  writeFileSync(join(folder, 'node_modules', NAME, 'Cargo.toml'), '')
  const { message } = await loadIn(folder)
  t.regex(message, /Run `npm run build` here, which needs Rust/)
  t.notRegex(message, /by hand/)
})

test('another error of the loader stays as it is', async (t) => {
  const { code, message } = await loadIn(install(t), {
    environment: { NAPI_RS_WASI_FLAVOR: 'none' },
  })
  t.is(code, undefined)
  t.regex(message, /Unsupported WASI flavor/)
})

test('with its addon it loads', async (t) => {
  const folder = install(t, { addon: readFileSync(builtAddon()) })
  t.deepEqual(await loadIn(folder), { loaded: true })
})
