// What a storm is let loose on: the columns of its table.

/** @typedef {{ program: 'document' | 'ours', push: boolean, title: string }} Column */

/** @type {Record<string, Column>} */
export const COLUMNS = {
  document: { program: 'document', push: false, title: 'plain cache-aside' },
  push: { program: 'ours', push: true, title: 'this package' },
  'no-push': { program: 'ours', push: false, title: 'this package, push off' },
}
