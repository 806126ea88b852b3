// What a storm is let loose on: the columns of its table.

/**
 * @typedef {{ program: 'document' | 'ours', push: boolean, entries?: boolean, title: string }} Column `entries`: its instances
 *   hold resources, too
 */

/** @type {Record<string, Column>} */
export const COLUMNS = {
  document: { program: 'document', push: false, title: 'plain cache-aside' },
  push: { program: 'ours', push: true, title: 'this package' },
  'no-push': { program: 'ours', push: false, title: 'this package, push off' },
  resources: { program: 'ours', push: true, entries: true, title: 'with resources' },
  'resources-no-push': {
    program: 'ours',
    push: false,
    entries: true,
    title: 'with resources, push off',
  },
}
