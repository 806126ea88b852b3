// What a storm is let loose on: the columns of its table.

/**
 * @typedef {object} Column
 * @property {'document' | 'ours'} program
 * @property {boolean} push
 * @property {number} [resources] so many are in the cache of each instance, beside the prompt
 * @property {boolean} [replica] reads of the store are answered by a replica that lags. The bound is the same
 * @property {string} title
 */

/** @type {Record<string, Column>} */
export const COLUMNS = {
  document: { program: 'document', push: false, title: 'plain cache-aside' },
  push: { program: 'ours', push: true, title: 'this package' },
  'no-push': { program: 'ours', push: false, title: 'this package, push off' },
  replica: { program: 'ours', push: true, replica: true, title: 'over a lagging replica' },
  resources: { program: 'ours', push: true, resources: 3, title: 'with resources' },
  'resources-no-push': {
    program: 'ours',
    push: false,
    resources: 3,
    title: 'with resources, push off',
  },
  'many-resources': { program: 'ours', push: true, resources: 12, title: 'with many resources' },
}
