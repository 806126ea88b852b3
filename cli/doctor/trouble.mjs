// What one request ran into, in words for the operator. Nothing that a server sent is in them but codes and statuses.

export class Trouble extends Error {
  /**
   * @param {'name' | 'connection' | 'certificate' | 'proxy' | 'timeout' | 'broken' | 'redirect' | 'unauthorized' | 'quota' |
   *   'full' | 'status' | 'protocol' | 'permission' | 'type' | 'rejected' | 'closed' | 'silent'} kind
   * @param {string} message what it is and how to mend it, in one line
   */
  constructor(kind, message, { code } = {}) {
    super(message)
    this.kind = kind
    /** The one word of the server, such as NOPERM or 42P01. */
    this.code = code
  }
}
