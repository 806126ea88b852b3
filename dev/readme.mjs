// The parts of documents that programs write, each between two comments.

import { readFile, writeFile } from 'node:fs/promises'

/** Puts a part of the README in its place. @param {string} name @param {string} part */
export const writeReadmePart = (name, part) => writePart('README.md', name, part)

/** Puts a part between `<!-- name:begin -->` and `<!-- name:end -->` of a document. */
export async function writePart(document, name, part) {
  const path = new URL(`../${document}`, import.meta.url)
  const text = await readFile(path, 'utf8')
  const place = new RegExp(`(?<=<!-- ${name}:begin -->\\n)[\\s\\S]*(?=<!-- ${name}:end -->)`)
  if (!place.test(text)) throw new Error(`${document} has no place for ${name}`)
  await writeFile(
    path,
    text.replace(place, () => part),
  )
}
