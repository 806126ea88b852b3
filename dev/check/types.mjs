// index.d.ts, read back.

/**
 * The members of an interface, those of the interfaces that it extends included, with their comments.
 *
 * @param {string} types the text of index.d.ts
 * @param {string} name
 * @returns {Map<string, string>} the comment of each, in one line
 */
export function membersOf(types, name) {
  const [, parents, body = ''] =
    types.match(
      new RegExp(
        `export interface ${name}(?: extends ([\\w, ]+))? (?:\\{\\}|\\{\\n(.*?)\\n\\})`,
        's',
      ),
    ) ?? joined(types, name)
  const members = new Map()
  for (const parent of parents?.split(', ') ?? []) {
    for (const [member, comment] of membersOf(types, parent)) members.set(member, comment)
  }
  let comment = ''
  for (const line of body.split('\n')) {
    const said = line.match(/^ {2,3}(?:\/\*\*|\*\/?) ?(.*?)(?: ?\*\/)?$/)
    const member = line.match(/^ {2}(\w+)\??:/)
    if (said) comment = `${comment} ${said[1]}`.trim()
    if (member) {
      members.set(member[1], comment)
      comment = ''
    }
  }
  return members
}

/** `export type Name = A & B` has the members of both. */
function joined(types, name) {
  const [, parents] = types.match(new RegExp(`export type ${name} = ([\\w &]+)\n`)) ?? []
  if (!parents) throw new Error(`index.d.ts has no interface ${name}`)
  return [undefined, parents.trim().replaceAll(' & ', ', '), '']
}
