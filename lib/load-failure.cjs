// What is thrown where the generated loader found no addon that this machine can load: for which machine it looked, what is
// there instead, and what to do. Read only then, so it costs no other start anything.
const { existsSync, readdirSync } = require('node:fs')
const { join } = require('node:path')
const { name, optionalDependencies: platformPackages } = require('../package.json')

const ROOT = join(__dirname, '..')
/** What the generated loader says of all that it does not find or cannot load. */
const GENERATED = 'Cannot find native binding'
const OVERRIDE = 'NAPI_RS_NATIVE_LIBRARY_PATH'
const FROM_SOURCE =
  'Build it here, which needs Rust (https://rustup.rs): `npm install && npm run build && npm pack` in a clone of its ' +
  'repository, then install the file that this makes. README.md in the package has more, under "Install".'

/**
 * @param {Error} error what the generated loader threw
 * @returns {Error} an error with the code `ADDON_UNAVAILABLE` and the loader's causes; anything else as it was
 */
exports.loadFailure = (error) => {
  if (!error?.message?.startsWith(GENERATED)) return error
  const machine = thisMachine()
  const refusal = messagesOf(error.cause).find((message) => !isAbsence(message))
  const [what, ...advice] = process.env[OVERRIDE]
    ? ofOverride()
    : refusal
      ? ofRefusal(refusal, machine)
      : ofAbsence(machine)
  const head = `${name} could not load its addon on ${machine.target} (${machine.words}): ${what}`
  const failure = new Error([head, ...advice.map((each) => `- ${each}`)].join('\n'))
  failure.code = 'ADDON_UNAVAILABLE'
  failure.cause = error.cause
  return failure
}

function ofOverride() {
  return [
    `${OVERRIDE} is set, and what it names is not an addon that can be loaded here.`,
    'Unset it, or let it name the .node file of this platform. Nothing else is tried while it is set.',
  ]
}

/** A file was there, and the system did not take it. */
function ofRefusal(message, { glibc }) {
  const [what] = message.split('\n')
  if (what.includes('addons is disabled')) {
    return [
      what,
      'Start Node with --allow-addons where it has --permission, and without --no-addons.',
    ]
  }
  const needed = message.match(/version `GLIBC_([\d.]+)' not found/)?.[1]
  if (!needed) {
    return [
      what,
      'If node_modules was copied from another machine or image, remove it and run `npm install` here.',
      FROM_SOURCE,
    ]
  }
  return [
    what,
    `It needs glibc ${needed} or later, and this system has ${glibc}. Take a newer image, or build it on this one.`,
    FROM_SOURCE,
  ]
}

/** There was no file for this platform. */
function ofAbsence({ target, musl }) {
  const inPackage = readdirSync(ROOT).filter((file) => file.endsWith('.node'))
  const what = `the package has none for this platform${inPackage.length > 0 ? `, only ${inPackage.join(', ')}` : ''}.`
  const alpine = musl ? ['For Alpine, README.md in the package has an image under "Alpine".'] : []
  const platformPackage = `${name}-${target}`
  if (existsSync(join(ROOT, 'Cargo.toml'))) {
    return [what, 'Run `npm run build` here, which needs Rust (https://rustup.rs).']
  }
  if (!platformPackages) {
    return [
      what,
      'It was packed by hand, and so has the addon of the machine that it was packed on.',
      FROM_SOURCE,
      ...alpine,
    ]
  }
  if (!(platformPackage in platformPackages)) {
    return [what, 'There is no release for it.', FROM_SOURCE, ...alpine]
  }
  return [
    what,
    `It comes in the optional dependency ${platformPackage}: install without --omit=optional and --no-optional.`,
    'If package-lock.json or node_modules was made on another platform, remove both and run `npm install` here.',
    FROM_SOURCE,
    ...alpine,
  ]
}

function thisMachine() {
  const { platform, arch, versions } = process
  const glibc = platform === 'linux' ? glibcVersion() : undefined
  const musl = platform === 'linux' && !glibc
  const libc = { linux: musl ? '-musl' : '-gnu', win32: '-msvc' }[platform] ?? ''
  const named = glibc ? `, glibc ${glibc}` : musl ? ', musl' : ''
  return {
    target: `${platform}-${arch}${libc}`,
    words: `Node ${versions.node}${named}`,
    glibc,
    musl,
  }
}

/** Undefined where the C library is another one. */
function glibcVersion() {
  // It would look up the names of all open connections.
  process.report.excludeNetwork = true
  return process.report.getReport().header.glibcVersionRuntime
}

/** The loader chains what it met, the last first. */
function messagesOf(cause) {
  return cause ? [...messagesOf(cause.cause), cause.message] : []
}

/** Whether it says no more than that there is no file. */
function isAbsence(message) {
  return /^(Cannot find module|Unsupported )/.test(message)
}
