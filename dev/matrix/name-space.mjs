// Names of hosts that some processes know for a while and then do not: they see an /etc/hosts of their own, by a mount
// namespace of Linux.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The one name that a cache takes over plain http, and that the certificate of the tests is for. */
export const NAME = 'localhost'

// Without a name server, which might know the name.
const MOUNT = `
mount --bind "$1/hosts" /etc/hosts && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf || exit
shift
exec "$@"`

/**
 * @returns {null | { runner: string[], know(): void, forget(): void, close(): void }} `runner`: for `startProcess`; null where the
 *   system has no such namespaces, or not for this user
 */
export function openNameSpace() {
  const folder = mkdtempSync(join(tmpdir(), 'grove-names-'))
  const hosts = join(folder, 'hosts')
  const know = () => writeFileSync(hosts, `127.0.0.1 ${NAME}\n`)
  const close = () => rmSync(folder, { recursive: true, force: true })
  know()
  writeFileSync(join(folder, 'nsswitch.conf'), 'hosts: files\n')
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const runner = ['unshare', '--mount', ...asRoot, 'sh', '-c', MOUNT, 'sh', folder]
  const [command, ...words] = [...runner, 'true']
  if (spawnSync(command, words).status !== 0) {
    close()
    return null
  }
  return { runner, know, forget: () => writeFileSync(hosts, ''), close }
}
